// What may be changed of an organization, a team or a model, and how it is laid over the file.
#include "config/entry.hpp"
#include "config/values.hpp"
#include "gateway/admin/render.hpp"
#include "gateway/admin/state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace tollgate::admin {
namespace {

std::string place_of(const config::Config& config, config::Mark mark) {
    const std::string file = config.file.empty() ? std::string("the configuration") : config.file;
    return mark.line == 0 ? file : fmt::format("{}:{}", file, mark.line);
}

Problem owned(const Scope& scope, const std::string& what, const std::string& place) {
    return {.status = 409,
            .code = "owned_by_file",
            .detail =
                fmt::format("{} of {} \"{}\" is set in {}: change it there and reload. Until then only a temporary "
                            "`raise` can be added to it",
                            what, scope.kind, scope.name, place),
            .errors = {},
            .place = place};
}

bool only_raise(const json::value& value) {
    return value.is_object() &&
           std::ranges::all_of(value.get_object(), [](const auto& member) { return member.key() == "raise"; });
}

struct Named {
    std::string_view name;
    std::optional<config::Limit> config::Limits::* limit;
};
constexpr std::array kLimits{Named{"rpm", &config::Limits::rpm}, Named{"tpm", &config::Limits::tpm},
                             Named{"input_tpm", &config::Limits::input_tpm},
                             Named{"output_tpm", &config::Limits::output_tpm},
                             Named{"concurrency", &config::Limits::concurrency}};

std::expected<void, Problem> check_limits(const Scope& scope, const json::object& limits, const config::Limits& file,
                                          const config::Config& config) {
    for (const auto& [name, limit] : kLimits) {
        const json::value* const change = limits.if_contains(name);
        const auto& written = file.*limit;
        if (change == nullptr || !written || written->mark.line == 0 || only_raise(*change)) continue;
        return std::unexpected(owned(scope, fmt::format("`{}`", name), place_of(config, written->mark)));
    }
    return {};
}

using Period = std::tuple<std::string, std::string, std::string, std::string, std::string>;

std::string text_of(const json::object& budget, std::string_view name, std::string_view otherwise) {
    const json::value* const value = budget.if_contains(name);
    if (value == nullptr) return std::string(otherwise);
    if (value->is_string()) return std::string(value->get_string());
    return value->is_int64() ? std::to_string(value->get_int64()) : std::string();
}

// What tells two budgets of one scope apart.
Period period_of(const json::object& budget) {
    const std::string window = text_of(budget, "window", "");
    const auto length = config::parse_duration(window);
    return {text_of(budget, "per", ""), text_of(budget, "timezone", "UTC"), text_of(budget, "anchor_day", "1"),
            text_of(budget, "week_start", "monday"), length ? std::to_string(length->count()) : window};
}

// Budgets of the file come first; one of the same period may only be raised.
std::expected<json::array, Problem> merge_budgets(const Scope& scope, const json::value& change,
                                                  const std::vector<config::Budget>& file,
                                                  const config::Config& config) {
    json::array all = render(file);
    const json::array items = change.is_array() ? change.get_array() : json::array{change};
    for (const json::value& item : items) {
        const auto same = item.is_object() ? std::ranges::find_if(all,
                                                                  [&](const json::value& known) {
                                                                      return period_of(known.get_object()) ==
                                                                             period_of(item.get_object());
                                                                  })
                                           : all.end();
        if (same == all.end()) {
            all.push_back(item);
            continue;
        }
        const auto at = static_cast<std::size_t>(same - all.begin());
        if (at >= file.size() || item.get_object().contains("usd"))
            return std::unexpected(
                owned(scope, "the budget of that period", place_of(config, file[std::min(at, file.size() - 1)].mark)));
        for (const auto& [name, value] : item.get_object()) {
            if (name == "raise") same->get_object()["raise"] = value;
        }
    }
    return all;
}

config::ScopeKind kind_of(const std::string& kind) {
    if (kind == "model") return config::ScopeKind::model;
    return kind == "org" ? config::ScopeKind::org : config::ScopeKind::team;
}

// The marks of the file stay with what the file said.
void keep_marks(config::Limits& now, const config::Limits& before) {
    for (const auto& [name, limit] : kLimits) {
        if (now.*limit && before.*limit) (now.*limit)->mark = (before.*limit)->mark;
    }
}

void keep_marks(std::vector<config::Budget>& now, const std::vector<config::Budget>& before) {
    for (std::size_t i = 0; i < before.size() && i < now.size(); ++i) {
        now[i].mark = before[i].mark;
        now[i].timezone_mark = before[i].timezone_mark;
    }
}

} // namespace

std::optional<Scope> find_scope(config::Config& config, const std::string& kind, const std::string& name) {
    const auto in = [&](auto& map) -> std::optional<Scope> {
        const auto found = map.find(name);
        if (found == map.end()) return std::nullopt;
        Scope scope{.kind = kind, .name = name, .limits = &found->second.limits, .budgets = &found->second.budgets};
        if constexpr (requires { found->second.per_model; }) scope.per_model = &found->second.per_model;
        return scope;
    };
    if (kind == "team") return in(config.teams);
    if (kind == "org") return in(config.orgs);
    if (kind == "model") return in(config.models);
    return std::nullopt;
}

std::expected<void, Problem> lay_over(Scope& scope, const json::object& settings, const config::Config& around) {
    json::object whole = render_scope(*scope.limits, *scope.budgets, {});
    for (const auto& [name, value] : settings) {
        if (name == "limits" && value.is_object()) {
            if (auto ok = check_limits(scope, value.get_object(), *scope.limits, around); !ok)
                return std::unexpected(std::move(ok.error()));
            json::object patch{{"limits", value}};
            merge(whole, patch);
        } else if (name == "budget") {
            auto budgets = merge_budgets(scope, value, *scope.budgets, around);
            if (!budgets) return std::unexpected(std::move(budgets.error()));
            whole["budget"] = std::move(*budgets);
        } else if (name == "limits") {
            whole[name] = value; // of the wrong type, which is said below
        } else {
            return std::unexpected(
                Problem{.status = 400,
                        .code = "invalid_body",
                        .detail = fmt::format("`{}` of a {} cannot be changed here, only `limits` and `budget`",
                                              std::string_view(name).substr(0, 64), scope.kind)});
        }
    }
    const Tree tree = tree_of(whole);
    auto entry = config::read_scope(*tree.document.root, kind_of(scope.kind), around);
    if (!entry.value) return std::unexpected(refused(entry.diagnostics, tree));
    keep_marks(entry.value->limits, *scope.limits);
    keep_marks(entry.value->budgets, *scope.budgets);
    *scope.limits = entry.value->limits;
    *scope.budgets = std::move(entry.value->budgets);
    return {};
}

} // namespace tollgate::admin
