#include "gateway/admin/routes.hpp"

#include <algorithm>
#include <array>

namespace tollgate::admin {
namespace {

constexpr std::array kRoutes{
    Row{Action::list_keys, "GET", "/admin/v1/keys", false},
    Row{Action::create_key, "POST", "/admin/v1/keys", true},
    Row{Action::show_key, "GET", "/admin/v1/keys/{key}", false},
    Row{Action::edit_key, "PATCH", "/admin/v1/keys/{key}", true},
    Row{Action::delete_key, "DELETE", "/admin/v1/keys/{key}", true},
    Row{Action::rotate_key, "POST", "/admin/v1/keys/{key}/rotate", true},
    Row{Action::show_scope, "GET", "/admin/v1/teams/{team}", false},
    Row{Action::edit_scope, "PATCH", "/admin/v1/teams/{team}", true},
    Row{Action::show_scope, "GET", "/admin/v1/orgs/{org}", false},
    Row{Action::edit_scope, "PATCH", "/admin/v1/orgs/{org}", true},
    Row{Action::show_scope, "GET", "/admin/v1/models/{model}", false},
    Row{Action::edit_scope, "PATCH", "/admin/v1/models/{model}", true},
    Row{Action::usage, "GET", "/admin/v1/usage", false},
    Row{Action::audit, "GET", "/admin/v1/audit", false},
    Row{Action::reload, "POST", "/admin/v1/reload", true},
    Row{Action::cache_stats, "GET", "/admin/v1/cache", false},
    Row{Action::purge_cache, "POST", "/admin/v1/cache/purge", true},
};

constexpr std::size_t kLongestName = 128;

bool is_name(std::string_view text, bool model) {
    return !text.empty() && text.size() <= kLongestName && std::ranges::all_of(text, [&](char c) {
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        return plain || c == '_' || c == '.' || c == '-' || (model && (c == ':' || c == '/' || c == '@' || c == '*'));
    });
}

bool matches(std::string_view pattern, std::string_view path, Match& match) {
    const std::size_t open = pattern.find('{');
    if (open == std::string_view::npos) return pattern == path;
    const std::size_t close = pattern.find('}');
    const std::string_view tail = pattern.substr(close + 1);
    if (!path.starts_with(pattern.substr(0, open)) || !path.ends_with(tail) || path.size() < open + tail.size())
        return false;
    const std::string_view kind = pattern.substr(open + 1, close - open - 1);
    const std::string_view name = path.substr(open, path.size() - open - tail.size());
    if (!is_name(name, kind == "model")) return false;
    match.kind = kind;
    match.name = name;
    return true;
}

} // namespace

std::span<const Row> all_routes() noexcept {
    return kRoutes;
}

Match find_route(std::string_view method, std::string_view path) {
    Match match;
    for (const Row& row : kRoutes) {
        if (!matches(row.pattern, path, match)) continue;
        if (row.method == method) {
            match.row = &row;
            return match;
        }
        match.allow += match.allow.empty() ? std::string(row.method) : ", " + std::string(row.method);
    }
    return match;
}

} // namespace tollgate::admin
