#include "gateway/admin/render.hpp"

#include "policy/compile.hpp"
#include "policy/price/money.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace tollgate::admin {
namespace {

constexpr std::array<std::string_view, 4> kModes{"strict", "balanced", "last_call", "soft"};
constexpr std::array<std::string_view, 8> kPeriods{"hour",    "day",  "week",    "month",
                                                   "quarter", "year", "rolling", "lifetime"};
constexpr std::array<std::string_view, 7> kDays{"sunday",   "monday", "tuesday", "wednesday",
                                                "thursday", "friday", "saturday"};

struct Named {
    std::string_view name;
    std::optional<config::Limit> config::Limits::* limit;
};
constexpr std::array kLimits{Named{"rpm", &config::Limits::rpm}, Named{"tpm", &config::Limits::tpm},
                             Named{"input_tpm", &config::Limits::input_tpm},
                             Named{"output_tpm", &config::Limits::output_tpm},
                             Named{"concurrency", &config::Limits::concurrency}};

json::object render_limit(const config::Limit& limit) {
    json::object out{{"limit", limit.amount}};
    if (limit.burst) out["burst"] = *limit.burst;
    if (limit.mode != config::LimitMode::strict) out["mode"] = kModes[static_cast<std::size_t>(limit.mode)];
    if (limit.shadow) out["shadow"] = true;
    if (limit.raise) out["raise"] = json::object{{"by", limit.raise->by}, {"until", render(limit.raise->until)}};
    return out;
}

json::object render_budget(const config::Budget& budget) {
    using config::Per;
    json::object out{{"usd", policy::format_usd(budget.nano)}, {"per", kPeriods[static_cast<std::size_t>(budget.per)]}};
    if (budget.per == Per::rolling)
        out["window"] = fmt::format("{}s", budget.window.count());
    else if (budget.per != Per::lifetime)
        out["timezone"] = budget.timezone;
    if (budget.per == Per::month && budget.anchor_day != 1) out["anchor_day"] = budget.anchor_day;
    if (budget.per == Per::week && budget.week_start != std::chrono::Monday)
        out["week_start"] = kDays[budget.week_start.c_encoding()];
    if (budget.mode != config::LimitMode::strict) out["mode"] = kModes[static_cast<std::size_t>(budget.mode)];
    if (budget.shadow) out["shadow"] = true;
    if (budget.raise) {
        out["raise"] =
            json::object{{"by", policy::format_usd(budget.raise->nano)}, {"until", render(budget.raise->until)}};
    }
    return out;
}

json::array list_of(const std::vector<std::string>& texts) {
    json::array out;
    for (const std::string& text : texts) out.emplace_back(text);
    return out;
}

std::string_view status_of(const config::Key& key, std::chrono::sys_seconds now) {
    if (key.disabled) return "disabled";
    return key.expires && now >= *key.expires ? "expired" : "active";
}

std::string org_of(const config::Config& config, const std::string& team) {
    const auto found = config.teams.find(team);
    return found == config.teams.end() || found->second.org.empty() ? "default" : found->second.org;
}

json::object common(const config::Config& config, const config::Key& key, std::chrono::sys_seconds now) {
    const std::string team = key.team.empty() ? std::string("default") : key.team;
    json::object out{{"object", "key"}, {"id", key.id}, {"team", team}, {"org", org_of(config, team)}};
    if (!key.alias.empty()) out["alias"] = key.alias;
    out["status"] = status_of(key, now);
    out["disabled"] = key.disabled;
    if (key.expires) out["expires"] = render(*key.expires);
    out["models"] = list_of(key.models);
    out["routes"] = list_of(key.routes);
    for (auto& [name, value] : render_scope(key.limits, key.budgets, key.per_model)) out[name] = std::move(value);
    json::object cache;
    if (key.cache.enabled) cache["enabled"] = *key.cache.enabled;
    if (key.cache.ttl) cache["ttl"] = fmt::format("{}ms", key.cache.ttl->count());
    if (key.cache.sampled) cache["sampled"] = *key.cache.sampled;
    if (!cache.empty()) out["cache"] = std::move(cache);
    return out;
}

} // namespace

std::string render(std::chrono::sys_seconds instant) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", instant);
}

json::object render(const config::Limits& limits) {
    json::object out;
    for (const auto& [name, limit] : kLimits) {
        if (limits.*limit) out[name] = render_limit(*(limits.*limit));
    }
    return out;
}

json::array render(const std::vector<config::Budget>& budgets) {
    json::array out;
    for (const config::Budget& budget : budgets) out.push_back(render_budget(budget));
    return out;
}

json::object render(const config::ModelShares& shares) {
    json::object out;
    for (const auto& [model, share] : shares) out[model] = render_scope(share.limits, share.budgets, {});
    return out;
}

json::object render_scope(const config::Limits& limits, const std::vector<config::Budget>& budgets,
                          const config::ModelShares& shares) {
    json::object out;
    if (json::object all = render(limits); !all.empty()) out["limits"] = std::move(all);
    if (!budgets.empty()) out["budget"] = render(budgets);
    if (!shares.empty()) out["per_model"] = render(shares);
    return out;
}

json::object render_key(const config::Config& config, const config::Key& key, std::chrono::sys_seconds now) {
    json::object out = common(config, key, now);
    out["owner"] = "file";
    out["place"] = policy::origin_of(config, key);
    return out;
}

json::object render_key(const config::Config& config, const policy::StoredKey& stored, std::chrono::sys_seconds now) {
    config::Key key = stored.entry;
    key.id = stored.id;
    key.team = stored.team;
    key.disabled = stored.disabled;
    json::object out = common(config, key, now);
    out["owner"] = "store";
    if (!stored.created.empty()) out["created"] = stored.created;
    if (!stored.updated.empty()) out["updated"] = stored.updated;
    const std::chrono::sys_seconds until{std::chrono::seconds(stored.former_until)};
    if (!stored.former_sha256.empty() && now < until) out["former_secret_until"] = render(until);
    return out;
}

} // namespace tollgate::admin
