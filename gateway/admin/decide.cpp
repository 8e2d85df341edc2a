#include "gateway/admin/decide.hpp"

#include "gateway/admin/render.hpp"
#include "gateway/admin/writes.hpp"
#include "policy/compile.hpp"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

namespace tollgate::admin {
namespace {

std::expected<json::array, Problem> all_keys(const State& state, const Given& given) {
    const auto now = effective(state);
    if (!now) return std::unexpected(Problem{.status = 500, .code = "internal", .detail = now.error()});
    json::array out;
    for (const config::Key& key : now->config.keys) out.push_back(render_key(now->config, key, given.now));
    for (const policy::StoredKey& key : now->keys) out.push_back(render_key(now->config, key, given.now));
    return out;
}

std::string text(const json::value& key, std::string_view name) {
    return std::string(key.at(name).get_string());
}

std::expected<Answer, Problem> list_keys(const Call& call, const State& state, const Given& given) {
    constexpr std::array<std::string_view, 3> kKnown{"team", "limit", "after"};
    const auto query = parse_query(call.query, kKnown);
    if (!query) return std::unexpected(query.error());
    const auto most = page_size(*query, 100, 1'000);
    if (!most) return std::unexpected(most.error());
    auto all = all_keys(state, given);
    if (!all) return std::unexpected(all.error());
    json::array page;
    bool more = false;
    const auto after = query->find("after");
    bool reached = after == query->end();
    for (json::value& key : *all) {
        const std::string id = text(key, "id");
        if (!reached) {
            reached = id == after->second;
            continue;
        }
        if (const auto team = query->find("team"); team != query->end() && text(key, "team") != team->second) continue;
        if (page.size() == static_cast<std::size_t>(*most)) {
            more = true;
            break;
        }
        page.push_back(std::move(key));
    }
    if (!reached) {
        return std::unexpected(
            Problem{.status = 400, .code = "invalid_query", .detail = "`after` is not the id of a key"});
    }
    json::object out{{"object", "list"}, {"has_more", more}};
    if (more) out["next_cursor"] = text(page.back(), "id");
    out["data"] = std::move(page);
    return Answer{200, json::serialize(out) + "\n"};
}

} // namespace

std::expected<json::object, Problem> view_key(const State& state, const std::string& id, std::chrono::sys_seconds now) {
    const auto all = effective(state);
    if (!all) return std::unexpected(Problem{.status = 500, .code = "internal", .detail = all.error()});
    const auto stored = std::ranges::find(all->keys, id, &policy::StoredKey::id);
    if (stored != all->keys.end()) return render_key(all->config, *stored, now);
    const auto written = std::ranges::find(all->config.keys, id, &config::Key::id);
    if (written != all->config.keys.end()) return render_key(all->config, *written, now);
    return std::unexpected(
        Problem{.status = 404, .code = "not_found", .detail = fmt::format("there is no key \"{}\"", id)});
}

std::expected<json::object, Problem> view_scope(const State& state, const std::string& kind, const std::string& name) {
    auto all = effective(state);
    if (!all) return std::unexpected(Problem{.status = 500, .code = "internal", .detail = all.error()});
    const auto scope = find_scope(all->config, kind, name);
    if (!scope) {
        return std::unexpected(Problem{.status = 404,
                                       .code = "not_found",
                                       .detail = fmt::format("the configuration has no {} \"{}\"", kind, name)});
    }
    json::object out{{"object", kind}, {"name", name}};
    const config::ModelShares none;
    const auto* const shares = scope->per_model != nullptr ? scope->per_model : &none;
    for (auto& [member, value] : render_scope(*scope->limits, *scope->budgets, *shares)) out[member] = std::move(value);
    for (const policy::Override& change : state.overrides) {
        if (change.kind == kind && change.name == name) out["changed"] = settings_of(change.settings);
    }
    return out;
}

std::expected<Answer, Problem> read(const Call& call, const State& state, const Given& given) {
    if (call.route.row->action == Action::list_keys) return list_keys(call, state, given);
    constexpr std::array<std::string_view, 0> kNone{};
    if (const auto query = parse_query(call.query, kNone); !query) return std::unexpected(query.error());
    const auto view = call.route.kind == "key" ? view_key(state, call.route.name, given.now)
                                               : view_scope(state, call.route.kind, call.route.name);
    if (!view) return std::unexpected(view.error());
    return Answer{200, json::serialize(*view) + "\n"};
}

} // namespace tollgate::admin
