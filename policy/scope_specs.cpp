#include "policy/scope_specs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <utility>

namespace tollgate::policy {
namespace {

using quota::Dimension;
using quota::LimitSpec;
using quota::ScopeSpec;

constexpr std::string_view kDefault = "default";
constexpr unsigned kRollingParts = 24; // what was spent counts for up to one part longer than the window

[[noreturn]] void refuse(const config::Config& config, config::Mark mark, std::string_view why) {
    const std::string file = config.file.empty() ? std::string("the configuration") : config.file;
    if (mark.line == 0) throw std::invalid_argument(fmt::format("{}: {}", file, why));
    throw std::invalid_argument(fmt::format("{}:{}:{}: {}", file, mark.line, mark.column, why));
}

quota::Mode mode_of(config::LimitMode mode) noexcept {
    switch (mode) {
    case config::LimitMode::strict: return quota::Mode::strict;
    case config::LimitMode::balanced: return quota::Mode::balanced;
    case config::LimitMode::last_call: return quota::Mode::last_call;
    case config::LimitMode::soft: return quota::Mode::soft;
    }
    return quota::Mode::strict;
}

PeriodKind kind_of(config::Per per) noexcept {
    switch (per) {
    case config::Per::hour: return PeriodKind::hour;
    case config::Per::day: return PeriodKind::day;
    case config::Per::week: return PeriodKind::week;
    case config::Per::month: return PeriodKind::month;
    case config::Per::quarter: return PeriodKind::quarter;
    case config::Per::year: return PeriodKind::year;
    case config::Per::rolling: return PeriodKind::rolling;
    case config::Per::lifetime: return PeriodKind::lifetime;
    }
    return PeriodKind::lifetime;
}

std::string_view word_of(config::Per per) noexcept {
    constexpr std::array<std::string_view, 8> kWords{"hour",    "day",  "week",    "month",
                                                     "quarter", "year", "rolling", "lifetime"};
    return kWords[static_cast<std::size_t>(per)];
}

std::string_view word_of(std::chrono::weekday day) noexcept {
    constexpr std::array<std::string_view, 7> kWords{"sunday",   "monday", "tuesday", "wednesday",
                                                     "thursday", "friday", "saturday"};
    return kWords[day.c_encoding() % kWords.size()];
}

// "7d", "36h", "90m", "61s": the largest unit that says it exactly.
std::string text_of(std::chrono::seconds length) {
    constexpr std::array<std::pair<std::int64_t, char>, 3> kUnits{{{86'400, 'd'}, {3'600, 'h'}, {60, 'm'}}};
    for (const auto& [size, unit] : kUnits) {
        if (length.count() % size == 0) return fmt::format("{}{}", length.count() / size, unit);
    }
    return fmt::format("{}s", length.count());
}

std::shared_ptr<const quota::PeriodRule> rule_of(const config::Config& config, const config::Budget& budget) {
    if (budget.per == config::Per::lifetime) return std::make_shared<quota::Lifetime>();
    PeriodSpec spec;
    spec.kind = kind_of(budget.per);
    spec.week_start = budget.week_start;
    spec.anchor_day = budget.anchor_day;
    if (budget.per == config::Per::rolling) {
        spec.window = budget.window;
        spec.buckets = kRollingParts;
    } else {
        const auto zone = Zone::find(budget.timezone);
        if (!zone) {
            const std::string hint = zone.error().empty() ? std::string() : ": " + zone.error();
            refuse(config, budget.timezone_mark,
                   fmt::format("`{}` is not the IANA name of a time zone{}", budget.timezone, hint));
        }
        spec.zone = *zone;
    }
    if (const std::string problem = problem_of(spec); !problem.empty())
        refuse(config, budget.mark, "the budget's period: " + problem);
    return std::make_shared<CalendarRule>(std::move(spec));
}

// The clock counts nanoseconds in 64 bits and ends in 2262.
WallTime wall_of(std::chrono::sys_seconds instant) noexcept {
    constexpr std::chrono::sys_seconds kLast = std::chrono::floor<std::chrono::seconds>(WallTime::max());
    return std::min(instant, kLast);
}

LimitSpec spec_of(const config::Limit& limit, Dimension dimension) {
    LimitSpec out;
    out.dimension = dimension;
    if (dimension == Dimension::concurrency) out.window.clear();
    out.limit = static_cast<std::int64_t>(limit.amount);
    if (limit.burst) out.burst = static_cast<std::int64_t>(*limit.burst);
    out.mode = mode_of(limit.mode);
    out.shadow = limit.shadow;
    out.cut = limit.on_exhausted == config::OnExhausted::cut;
    if (limit.raise) out.raise = quota::Raise{static_cast<std::int64_t>(limit.raise->by), wall_of(limit.raise->until)};
    return out;
}

LimitSpec spec_of(const config::Config& config, const config::Budget& budget) {
    LimitSpec out;
    out.dimension = Dimension::money;
    out.window = window_of(budget);
    out.limit = budget.nano;
    out.mode = mode_of(budget.mode);
    out.shadow = budget.shadow;
    out.cut = budget.on_exhausted == config::OnExhausted::cut;
    out.period = rule_of(config, budget);
    if (budget.raise) out.raise = quota::Raise{budget.raise->nano, wall_of(budget.raise->until)};
    return out;
}

// Adds one limit and lets the engine's own checks speak with a place.
void add(ScopeSpec& scope, LimitSpec limit, const config::Config& config, config::Mark mark) {
    scope.limits.push_back(std::move(limit));
    try {
        quota::validate(scope);
    } catch (const std::invalid_argument& error) {
        refuse(config, mark, error.what());
    }
}

void fill(ScopeSpec& scope, const config::Config& config, const config::Limits& limits,
          const std::vector<config::Budget>& budgets) {
    const auto rate = [&](const std::optional<config::Limit>& limit, Dimension dimension) {
        if (limit) add(scope, spec_of(*limit, dimension), config, limit->mark);
    };
    rate(limits.rpm, Dimension::requests);
    rate(limits.tpm, Dimension::tokens);
    rate(limits.input_tpm, Dimension::input_tokens);
    rate(limits.output_tpm, Dimension::output_tokens);
    rate(limits.concurrency, Dimension::concurrency);
    for (const config::Budget& budget : budgets) add(scope, spec_of(config, budget), config, budget.mark);
}

PairScopes pairs_of(const config::Config& config, std::string_view kind, std::string_view name,
                    std::string_view contact, const config::ModelShares& shares) {
    PairScopes out;
    for (const auto& [model, share] : shares) {
        ScopeSpec scope = quota::pair_scope(kind, name, model);
        scope.contact = contact;
        fill(scope, config, share.limits, share.budgets);
        if (!scope.limits.empty()) out.emplace(model, std::move(scope));
    }
    return out;
}

const config::Team* find_team(const config::Config& config, const std::string& name) {
    const auto found = config.teams.find(name.empty() ? std::string(kDefault) : name);
    return found == config.teams.end() ? nullptr : &found->second;
}

const config::Org* find_org(const config::Config& config, const std::string& name) {
    const auto found = config.orgs.find(name.empty() ? std::string(kDefault) : name);
    return found == config.orgs.end() ? nullptr : &found->second;
}

std::string contact_of(const config::Config& config, const std::string& team) {
    const config::Team* const found = find_team(config, team);
    return found == nullptr ? std::string() : found->contact;
}

} // namespace

CalendarRule::CalendarRule(PeriodSpec spec) : spec_(std::move(spec)) {}

quota::Period CalendarRule::at(WallTime wall) const {
    std::optional<Period> found = period_at(spec_, wall);
    if (!found) return quota::Lifetime().at(wall); // of `fixed` alone, which the configuration cannot say
    quota::Period out{.id = std::move(found->id), .begin = found->start, .end = found->end};
    // rolling_parts: the part that holds now and the `buckets` before it.
    const bool rolling = spec_.kind == PeriodKind::rolling;
    out.counted_until = rolling ? out.end + (out.end - out.begin) * spec_.buckets : out.end;
    return out;
}

std::string window_of(const config::Budget& budget) {
    const std::string_view per = word_of(budget.per);
    switch (budget.per) {
    case config::Per::lifetime: return std::string(per);
    case config::Per::rolling: return fmt::format("{}/{}", per, text_of(budget.window));
    case config::Per::month:
        if (budget.anchor_day != 1) return fmt::format("{}/{}@{}", per, budget.anchor_day, budget.timezone);
        break;
    case config::Per::week:
        if (budget.week_start != std::chrono::Monday)
            return fmt::format("{}/{}@{}", per, word_of(budget.week_start), budget.timezone);
        break;
    default: break;
    }
    return fmt::format("{}@{}", per, budget.timezone);
}

quota::ScopeSpec key_scope(const config::Config& config, const config::Key& key) {
    ScopeSpec scope{.kind = "key", .name = key.id, .contact = contact_of(config, key.team)};
    fill(scope, config, key.limits, key.budgets);
    return scope;
}

quota::ScopeSpec team_scope(const config::Config& config, const std::string& name) {
    ScopeSpec scope{.kind = "team", .name = name.empty() ? std::string(kDefault) : name};
    if (const config::Team* const team = find_team(config, name)) {
        scope.contact = team->contact;
        fill(scope, config, team->limits, team->budgets);
    }
    return scope;
}

quota::ScopeSpec org_scope(const config::Config& config, const std::string& name) {
    ScopeSpec scope{.kind = "org", .name = name.empty() ? std::string(kDefault) : name};
    if (const config::Org* const org = find_org(config, name)) fill(scope, config, org->limits, org->budgets);
    return scope;
}

quota::ScopeSpec model_scope(const config::Config& config, const config::Model& model) {
    ScopeSpec scope{.kind = "model", .name = model.name};
    fill(scope, config, model.limits, model.budgets);
    return scope;
}

PairScopes key_pairs(const config::Config& config, const config::Key& key) {
    return pairs_of(config, "key", key.id, contact_of(config, key.team), key.per_model);
}

PairScopes team_pairs(const config::Config& config, const std::string& name) {
    const config::Team* const team = find_team(config, name);
    return team == nullptr ? PairScopes{} : pairs_of(config, "team", team->name, team->contact, team->per_model);
}

PairScopes org_pairs(const config::Config& config, const std::string& name) {
    const config::Org* const org = find_org(config, name);
    return org == nullptr ? PairScopes{} : pairs_of(config, "org", org->name, {}, org->per_model);
}

bool crosses_orgs(const config::Config& config) noexcept {
    return std::ranges::any_of(config.models, [](const auto& item) {
        const config::Limits& limits = item.second.limits;
        return limits.rpm || limits.tpm || limits.input_tpm || limits.output_tpm || limits.concurrency ||
               !item.second.budgets.empty();
    });
}

void check_scopes(const config::Config& config) {
    for (const auto& [name, model] : config.models) (void)model_scope(config, model);
    for (const auto& [name, org] : config.orgs) {
        (void)org_scope(config, name);
        (void)org_pairs(config, name);
    }
    for (const auto& [name, team] : config.teams) {
        (void)team_scope(config, name);
        (void)team_pairs(config, name);
    }
    for (const config::Key& key : config.keys) {
        (void)key_scope(config, key);
        (void)key_pairs(config, key);
    }
}

} // namespace tollgate::policy
