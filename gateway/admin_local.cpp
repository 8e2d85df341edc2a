#include "gateway/admin_local.hpp"

#include "gateway/admin/decide.hpp"
#include "gateway/base/time.hpp"
#include "policy/store.hpp"

#include <chrono>
#include <memory>
#include <utility>

namespace tollgate {
namespace {

AdminReply refusal(const admin::Problem& problem) {
    return {problem.status, to_json(problem)};
}

AdminReply reply(admin::Answer answer) {
    return {answer.status, std::move(answer.body)};
}

bool is_of_keys(admin::Action action) {
    using enum admin::Action;
    return action == list_keys || action == create_key || action == show_key || action == edit_key ||
           action == rotate_key || action == delete_key || action == show_scope || action == edit_scope;
}

std::expected<admin::State, std::string> state_of(const config::Config& config, policy::Store& store) {
    auto keys = store.keys();
    if (!keys) return std::unexpected(keys.error());
    if (auto filled = admin::fill_entries(*keys); !filled) return std::unexpected(filled.error());
    auto overrides = store.overrides();
    if (!overrides) return std::unexpected(overrides.error());
    return admin::State{config, std::move(*keys), std::move(*overrides)};
}

std::expected<AdminReply, std::string> write(const admin::Call& call, const admin::State& state, policy::Store& store,
                                             std::chrono::sys_seconds now) {
    const policy::GeneratedKey fresh = policy::generate_key();
    auto write = admin::write(call, state, {now, fresh});
    if (!write) {
        if (write.error().event) {
            if (auto noted = store.apply({}, *write.error().event, now); !noted) return std::unexpected(noted.error());
        }
        return refusal(write.error().problem);
    }
    if (auto done = store.apply(write->change, write->event, now); !done) return std::unexpected(done.error());
    return reply(std::move(write->answer));
}

} // namespace

std::expected<AdminReply, std::string> ask_store(const config::Config& config, std::string_view method,
                                                 std::string_view path, std::string_view query, std::string_view body) {
    const admin::Call call{.route = admin::find_route(method, path),
                           .query = std::string(query),
                           .body = std::string(body),
                           .actor = "cli",
                           .address = {}};
    if (call.route.row == nullptr || !is_of_keys(call.route.row->action))
        return refusal({.status = 404, .code = "not_found", .detail = "there is nothing of this name"});
    auto store = policy::Store::open(config.store_path, config.master_secret);
    if (!store) return std::unexpected(store.error());
    const auto state = state_of(config, **store);
    if (!state) return std::unexpected(state.error());
    const auto now = std::chrono::floor<std::chrono::seconds>(WallClock::now());
    if (call.route.row->writes) return write(call, *state, **store, now);
    const policy::GeneratedKey none;
    auto answer = admin::read(call, *state, {now, none});
    return answer ? reply(std::move(*answer)) : refusal(answer.error());
}

} // namespace tollgate
