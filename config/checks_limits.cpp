#include "config/checks.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace tollgate::config {
namespace {

struct Parent {
    std::string what; // "team `search`"
    const Limits* limits = nullptr;
};

struct Named {
    std::string_view name;
    std::optional<Limit> Limits::* limit;
};
constexpr std::array kLimits = {
    Named{"rpm", &Limits::rpm},
    Named{"tpm", &Limits::tpm},
    Named{"input_tpm", &Limits::input_tpm},
    Named{"output_tpm", &Limits::output_tpm},
    Named{"concurrency", &Limits::concurrency},
};

void check_burst(const Value& section, const Limits& own, Sink& sink) {
    const Value* const burst = section.find("limits.burst");
    if (burst == nullptr) return;
    const std::string path = burst->path;
    if (section.find("limits.rpm.burst") != nullptr) {
        sink.add(Code::burst_twice, burst->place,
                 fmt::format("`{}` and `{}.limits.rpm.burst` are the same", path, section.path),
                 {{}, "write one of them"});
    } else if (!own.rpm) {
        sink.add(Code::burst_without_rate, burst->place, fmt::format("`{}` has no effect without `rpm`", path));
    }
}

void check_parent(const Value& section, const Limits& own, const Parent& parent, Sink& sink) {
    if (parent.limits == nullptr) return;
    for (const auto& [name, limit] : kLimits) {
        const std::optional<Limit>& mine = own.*limit;
        const std::optional<Limit>& above = parent.limits->*limit;
        if (!mine || !above || above->shadow || mine->amount <= above->amount) continue;
        const std::string path = fmt::format("limits.{}", name);
        sink.add(Code::limit_above_parent, section.place_of(path),
                 fmt::format("`{}.{}` is {}, above the {} of {}", section.path, path, mine->amount, above->amount,
                             parent.what),
                 {{}, "the smaller limit decides, so this one is never reached"});
    }
}

bool on_calendar(Per per) noexcept {
    return per != Per::rolling && per != Per::lifetime;
}

void check_period(const Value& section, const Budget& budget, Sink& sink) {
    const auto* const per = section.get<std::string>("per");
    if (per == nullptr) return;
    const auto needs = [&](std::string_view key, bool fits, std::string_view what) {
        if (fits || section.find(key) == nullptr) return;
        sink.add(Code::budget_period, section.place_of(key),
                 fmt::format("`{}.{}` has no effect with `per: {}`", section.path, key, *per), {{}, std::string(what)});
    };
    needs("window", budget.per == Per::rolling, "it is the length of `per: rolling`");
    needs("anchor_day", budget.per == Per::month, "it is the first day of `per: month`");
    needs("week_start", budget.per == Per::week, "it is the first day of `per: week`");
    needs("timezone", on_calendar(budget.per), "it is for the periods of a calendar, `hour` to `year`");
    if (budget.per == Per::rolling && section.find("window") == nullptr) {
        sink.add(Code::budget_period, section.place_of("per"), fmt::format("`{}` has no `window`", section.path),
                 {{}, "`per: rolling` wants its length, `window: 7d`"});
    }
}

bool same_period(const Budget& a, const Budget& b) noexcept {
    return a.per == b.per && a.timezone == b.timezone && a.anchor_day == b.anchor_day && a.week_start == b.week_start &&
           a.window == b.window;
}

void check_budgets(const Value& section, const std::vector<Budget>& budgets, Sink& sink) {
    const Value* const written = section.find("budget");
    if (written == nullptr) return;
    for (std::size_t i = 0; i < budgets.size(); ++i) {
        const Value& item = written->members[i];
        check_period(item, budgets[i], sink);
        const auto first = std::ranges::find_if(budgets, [&](const Budget& b) { return same_period(b, budgets[i]); });
        if (first - budgets.begin() == static_cast<std::ptrdiff_t>(i)) continue;
        sink.add(
            Code::budget_twice, item.place, fmt::format("`{}` has the period of an earlier budget", item.path),
            {fmt::format("first at {}:{}", first->mark.line, first->mark.column), "the smaller one decides; keep it"});
    }
}

void check_scope(const Value& section, const Limits& limits, const std::vector<Budget>& budgets, Sink& sink) {
    check_burst(section, limits, sink);
    check_budgets(section, budgets, sink);
}

Advice model_advice(const std::string& name, const Config& config) {
    std::vector<std::string_view> known;
    for (const auto& [configured, model] : config.models) {
        known.push_back(configured);
        if (std::ranges::find(model.aliases, name) != model.aliases.end())
            return {fmt::format("it is an alias of `{}`", configured), "limits are those of the model"};
    }
    return {did_you_mean(name, known), "configured models: " + join(known)};
}

void check_shares(const Value& section, const ModelShares& shares, const Config& config, Sink& sink) {
    const Value* const written = section.find("per_model");
    if (written == nullptr) return;
    for (const Value& share : written->members) {
        const ModelShare& own = shares.at(share.name);
        check_scope(share, own.limits, own.budgets, sink);
        if (config.models.empty() || config.models.contains(share.name)) continue;
        sink.add(Code::unknown_model, share.place, fmt::format("model `{}` is not configured", quotable(share.name)),
                 model_advice(share.name, config));
    }
}

void check_rates(const Value& section, const PriceRates& rates, Sink& sink) {
    if (!rates.empty() || !section.complete ||
        std::ranges::any_of(section.members, [](const Value& m) { return !m.valid; }))
        return;
    sink.add(Code::no_price, section.place, fmt::format("`{}` says no price", section.path),
             {{}, "what is free of charge has the price 0"});
}

void check_prices(const Value& section, const Model& model, Sink& sink) {
    const Value* const written = section.find("price");
    if (written == nullptr) return;
    for (std::size_t i = 0; i < model.prices.size(); ++i) {
        const Value& item = written->members[i];
        const PriceCard& card = model.prices[i];
        check_rates(item, card.rates, sink);
        const auto before = model.prices.begin() + static_cast<std::ptrdiff_t>(i);
        if (std::find_if(model.prices.begin(), before, [&](const PriceCard& c) { return c.from == card.from; }) !=
            before)
            sink.add(Code::price_twice, item.place_of("from"),
                     fmt::format("`{}` begins on the same day as another price", item.path));
        const Value* const tiers = item.find("tiers");
        if (tiers == nullptr) continue;
        std::vector<std::uint64_t> seen;
        for (const Value& tier : tiers->members) {
            const auto* const above = tier.get<std::uint64_t>("above");
            if (above == nullptr) continue;
            if (std::ranges::find(seen, *above) != seen.end())
                sink.add(Code::price_twice, tier.place_of("above"),
                         fmt::format("`{}` begins where another tier does", tier.path));
            check_rates(tier, card.tiers[seen.size()].rates, sink);
            seen.push_back(*above);
        }
    }
}

void check_model(const Value& section, const Model& model, Sink& sink) {
    check_scope(section, model.limits, model.budgets, sink);
    check_prices(section, model, sink);
    if (!model.max_output || !model.context || *model.max_output <= *model.context) return;
    sink.add(Code::never_fits, section.place_of("max_output"),
             fmt::format("`{}.max_output` ({}) is larger than its `context` ({})", section.path, *model.max_output,
                         *model.context),
             {{}, "an answer is part of the context"});
}

// The scope of that name, whatever map it is in.
template <class Map>
Parent parent_of(const Map& map, const std::string& name, std::string_view kind) {
    const auto found = map.find(name);
    if (found == map.end()) return {};
    return {fmt::format("{} `{}`", kind, quotable(name)), &found->second.limits};
}

} // namespace

void check_limits(const Value& root, const Config& config, Sink& sink) {
    const auto members = [&](std::string_view name) -> std::span<const Value> {
        const Value* const value = root.find(name);
        return value != nullptr ? std::span<const Value>(value->members) : std::span<const Value>();
    };
    const auto check = [&](const Value& section, const auto& owner, const Parent& parent) {
        check_scope(section, owner.limits, owner.budgets, sink);
        check_shares(section, owner.per_model, config, sink);
        check_parent(section, owner.limits, parent, sink);
    };
    for (const Value& section : members("models")) check_model(section, config.models.at(section.name), sink);
    for (const Value& section : members("orgs")) check(section, config.orgs.at(section.name), {});
    for (const Value& section : members("teams")) {
        const Team& team = config.teams.at(section.name);
        check(section, team, parent_of(config.orgs, team.org, "org"));
    }
    const std::span<const Value> keys = members("keys");
    for (std::size_t i = 0; i < keys.size(); ++i)
        check(keys[i], config.keys[i], parent_of(config.teams, config.keys[i].team, "team"));
}

} // namespace tollgate::config
