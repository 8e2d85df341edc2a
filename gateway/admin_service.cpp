#include "gateway/admin_service.hpp"

#include "gateway/admin_usage.hpp"
#include "gateway/base/log.hpp"
#include "metrics/families.hpp"

#include <fmt/format.h>

#include <array>
#include <exception>
#include <utility>

namespace tollgate {
namespace {

using admin::Action;
using admin::Answer;
using admin::Problem;
using Reply = std::expected<Answer, Problem>;

constexpr std::array<std::string_view, 11> kActions{"key.create",   "key.update",    "key.disable", "key.enable",
                                                    "key.rotate",   "key.delete",    "team.update", "org.update",
                                                    "model.update", "config.reload", "cache.purge"};

std::string_view method_of(const std::string& method) {
    for (const std::string_view known : {"GET", "POST", "PATCH", "DELETE", "HEAD"}) {
        if (method == known) return known;
    }
    return "other";
}

Problem internal(std::string detail) {
    log::error("an administrator's request failed", {{"error", detail}});
    return {.status = 500, .code = "internal", .detail = std::move(detail)};
}

exchange::AdminPage page_of(const Problem& problem) {
    return {.status = problem.status, .body = to_json(problem), .allow = {}, .retry_after = problem.retry_after};
}

} // namespace

AdminService::AdminService(exchange::ObjectStore& store, Secret token, admin::State& state, metrics::Registry& registry,
                           Gateway gateway)
    : store_(store), guard_(std::move(token)), state_(state), registry_(registry), shard_(registry.make_shard()),
      gateway_(std::move(gateway)) {
    for (const std::string_view action : kActions) {
        for (const auto result : {"ok", "denied", "error"})
            (void)registry_.counter(metrics::Family::audit_events_total, {action, result});
    }
}

AdminService::~AdminService() {
    reads_.join();
}

void AdminService::count(std::string_view action, std::string_view result) {
    shard_.add(registry_.counter(metrics::Family::audit_events_total, {action, result}));
}

Task<exchange::AdminPage> AdminService::answer(exchange::AdminCall call) {
    const std::string_view method = method_of(call.method);
    const admin::Head head{.method = call.method,
                           .host = call.host,
                           .origin = call.origin,
                           .authorization = call.authorization,
                           .content_type = call.content_type,
                           .has_body = !call.body.empty() || call.too_large};
    exchange::AdminPage page;
    auto problem = admin::check_head(head, gateway_.listener);
    if (!problem) problem = guard_.check(head.authorization, Clock::now());
    admin::Match match = admin::find_route(call.method, call.path);
    const std::string_view route = match.row != nullptr ? match.row->pattern : "unmatched";
    if (!problem && match.row == nullptr) {
        problem = match.allow.empty()
                      ? Problem{.status = 404, .code = "not_found", .detail = "there is nothing at this path"}
                      : Problem{.status = 405, .code = "wrong_method", .detail = "here one may use " + match.allow};
    }
    if (!problem && call.too_large)
        problem = Problem{.status = 413, .code = "too_large", .detail = "the body has more than 64 KiB"};
    if (problem) {
        page = page_of(*problem);
        if (problem->status == 405) page.allow = match.allow;
    } else {
        Reply reply = co_await dispatch({.route = std::move(match),
                                         .query = std::move(call.query),
                                         .body = std::move(call.body),
                                         .actor = "admin_token",
                                         .address = std::move(call.address)});
        if (reply)
            page = {.status = reply->status, .body = std::move(reply->body), .allow = {}};
        else
            page = page_of(reply.error());
    }
    page.route = route;
    page.method = method;
    co_return page;
}

Task<AdminService::Outcome> AdminService::dispatch(admin::Call call) {
    Outcome outcome;
    if (call.route.row->writes) {
        outcome = co_await write_in_turn(std::move(call));
    } else if (call.route.row->action == Action::usage) {
        outcome = co_await usage(std::move(call));
    } else if (call.route.row->action == Action::cache_stats) {
        outcome = Answer{200, gateway_.cache_stats() + "\n"};
    } else if (call.route.row->action == Action::audit) {
        outcome = co_await audit(std::move(call));
    } else {
        const policy::GeneratedKey none;
        outcome = admin::read(call, state_, {std::chrono::floor<std::chrono::seconds>(WallClock::now()), none});
    }
    co_return outcome;
}

// A decision is made on what the write before it has left.
Task<AdminService::Outcome> AdminService::write_in_turn(admin::Call call) {
    if (writing_) {
        const auto turn = std::make_shared<Wakeup>();
        turns_.push_back(turn);
        co_await turn->wait();
    }
    writing_ = true;
    Outcome outcome;
    try {
        if (call.route.row->action == Action::reload)
            outcome = co_await reload(std::move(call));
        else if (call.route.row->action == Action::purge_cache)
            outcome = co_await purge(std::move(call));
        else
            outcome = co_await write(std::move(call));
    } catch (const std::exception& failure) {
        outcome = std::unexpected(internal(failure.what()));
    }
    writing_ = !turns_.empty();
    if (writing_) {
        const auto next = std::move(turns_.front());
        turns_.pop_front();
        asio::post(co_await asio::this_coro::executor, [next] { next->notify(); });
    }
    co_return outcome;
}

Task<std::expected<void, std::string>> AdminService::commit(policy::Change change, policy::AuditEvent event) {
    const std::string action = event.action;
    const std::string result = event.outcome;
    auto done = co_await store_.run([change = std::move(change), event = std::move(event)](
                                        policy::Store& store) -> std::expected<void, std::string> {
        return store.apply(change, event, WallClock::now());
    });
    count(action, done ? std::string_view(result) : "error");
    co_return done;
}

Task<AdminService::Outcome> AdminService::write(admin::Call call) {
    const policy::GeneratedKey fresh = policy::generate_key();
    auto write = admin::write(call, state_, {std::chrono::floor<std::chrono::seconds>(WallClock::now()), fresh});
    if (!write) {
        admin::Refusal& refusal = write.error();
        if (refusal.event) {
            const auto noted = co_await commit({}, std::move(*refusal.event));
            if (!noted) co_return std::unexpected(internal(noted.error()));
        }
        co_return std::unexpected(std::move(refusal.problem));
    }
    const std::string action = write->event.action;
    const std::string name = write->event.name;
    const auto stored = co_await commit(write->change, write->event);
    if (!stored) co_return std::unexpected(internal("the store: " + stored.error()));
    // A reload may have come in between.
    admin::State next = admin::after(state_, write->change);
    if (const auto published = gateway_.publish(next); !published) {
        state_ = std::move(next);
        co_return std::unexpected(
            internal("it is stored, but not in effect until the next good reload: " + published.error()));
    }
    state_ = std::move(next);
    log::info("an administrator changed something", {{"action", action}, {"target", name}, {"from", call.address}});
    co_return std::move(write->answer);
}

Task<AdminService::Outcome> AdminService::reload(admin::Call call) {
    if (!call.body.empty() && call.body != "{}")
        co_return std::unexpected(Problem{.status = 400, .code = "invalid_body", .detail = "a reload has no body"});
    const auto done = gateway_.reload();
    policy::AuditEvent event{.actor = call.actor,
                             .address = call.address,
                             .action = "config.reload",
                             .kind = "config",
                             .name = state_.file.file,
                             .outcome = done ? "ok" : "error",
                             .reason = done ? std::string() : done.error(),
                             .config_hash = state_.file.hash};
    const auto noted = co_await commit({}, std::move(event));
    if (!noted) co_return std::unexpected(internal(noted.error()));
    if (!done) co_return std::unexpected(Problem{.status = 422, .code = "invalid_config", .detail = done.error()});
    co_return Answer{200, fmt::format("{{\"ok\":true,\"hash\":\"{}\"}}\n", state_.file.hash)};
}

Task<AdminService::Outcome> AdminService::purge(admin::Call call) {
    auto done = gateway_.purge(call.body);
    if (!done) {
        const bool absent = done.error().status == 404;
        co_return std::unexpected(Problem{.status = absent ? 404 : 400,
                                          .code = absent ? "not_found" : "invalid_body",
                                          .detail = done.error().message});
    }
    policy::AuditEvent event{.actor = call.actor,
                             .address = call.address,
                             .action = "cache.purge",
                             .kind = "cache",
                             .name = done->what,
                             .outcome = "ok",
                             .reason = {},
                             .config_hash = state_.file.hash};
    const auto noted = co_await commit({}, std::move(event));
    if (!noted) co_return std::unexpected(internal(noted.error()));
    co_return Answer{200, done->body + "\n"};
}

Task<AdminService::Outcome> AdminService::usage(admin::Call call) {
    auto question = admin_usage_query(call.query, WallClock::now());
    if (!question) co_return std::unexpected(std::move(question.error()));
    const std::string path = gateway_.ledger_path;
    auto outcome = co_await exchange::run_on(
        reads_, [question = std::move(*question), path]() -> Outcome { return admin_usage(question, path); });
    co_return outcome;
}

Task<AdminService::Outcome> AdminService::audit(admin::Call call) {
    const auto page = audit_page(call.query);
    if (!page) co_return std::unexpected(page.error());
    using Entries = std::expected<std::vector<policy::AuditEntry>, std::string>;
    const AuditPage wanted = *page;
    auto entries = co_await store_.run(
        [wanted](policy::Store& store) -> Entries { return store.audit(wanted.before, wanted.most + 1); });
    if (!entries) co_return std::unexpected(internal(entries.error()));
    co_return Answer{200, audit_body(std::move(*entries), wanted)};
}

} // namespace tollgate
