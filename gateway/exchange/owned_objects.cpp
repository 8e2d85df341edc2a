#include "gateway/exchange/owned_objects.hpp"

#include "gateway/api/objects.hpp"
#include "gateway/base/log.hpp"
#include "gateway/exchange/phases.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tollgate::exchange {
namespace {

constexpr std::string_view kStoredGroup = "stored";

Error not_found(std::string_view id) {
    return Error{.type = ErrorType::caller_invalid_request,
                 .status = 404,
                 .message = fmt::format("No such object: {}.", id),
                 .openai_type = "invalid_request_error",
                 .retry = Retry::never};
}

Error store_failed(std::string_view why) {
    log::error("the store failed", {{"error", why}});
    return Error{.type = ErrorType::gateway_internal,
                 .status = 503,
                 .message = "The gateway's store is not available, so the owner of this object cannot be established.",
                 .openai_type = "server_error",
                 .retry = Retry::after,
                 .retry_after_ms = 1000};
}

bool granted(const policy::Principal& principal, std::string_view group) {
    return std::ranges::any_of(principal.routes, [&](const std::string& g) { return g == group || g == "*"; });
}

// `what` completes "Your key may not …".
Error not_granted(std::string_view what) {
    return Error{.type = ErrorType::policy_access_denied,
                 .status = 403,
                 .message = fmt::format("Your key may not {}: it needs \"{}\" in its routes.", what, kStoredGroup),
                 .openai_type = "invalid_request_error",
                 .retry = Retry::never};
}

using Ids = std::vector<std::string>;

struct OwnedOutcome {
    std::set<std::string, std::less<>> owned;
    std::string error;
};

// Objects of other providers do not exist at this one; ownership by the team is what decides.
Task<OwnedOutcome> ask_store(Exchange& ex, Ids ids) {
    std::string team = ex.principal->team;
    auto work = [wanted = std::move(ids), owner = std::move(team)](policy::Store& store) {
        OwnedOutcome outcome;
        auto answer = store.owned_of(wanted, owner);
        if (answer)
            outcome.owned = std::move(*answer);
        else
            outcome.error = answer.error();
        return outcome;
    };
    auto outcome = co_await ex.worker.shared.objects.run(std::move(work));
    co_return outcome;
}

Task<Result<void>> run_on_store(Exchange& ex, std::function<policy::Store::Result<void>(policy::Store&)> change) {
    auto work = [apply = std::move(change)](policy::Store& store) {
        const auto done = apply(store);
        return done ? std::string() : done.error();
    };
    const std::string error = co_await ex.worker.shared.objects.run(std::move(work));
    if (!error.empty()) co_return fail(store_failed(error));
    co_return Result<void>();
}

// What the provider made for an object of the team belongs to the team. Nothing to claim is the usual case.
Task<void> claim_made_files(Exchange& ex, const upstream::Provider& provider, const std::string& body) {
    for (std::string& id : api::made_file_ids(body)) {
        std::string shown = id;
        auto done = co_await own_object(ex, provider, std::move(id), "files");
        if (!done)
            log::warning("a result file could not be given to its team",
                         {{"object", shown}, {"team", ex.principal->team}});
    }
}

Task<Result<std::string>> filter_to_team(Exchange& ex, std::string body) {
    Ids ids = api::list_ids(body);
    const OwnedOutcome outcome = co_await ask_store(ex, std::move(ids));
    if (!outcome.error.empty()) co_return fail(store_failed(outcome.error));
    auto filtered = api::filter_list(body, [&](std::string_view id) { return outcome.owned.contains(id); });
    if (!filtered) {
        co_return fail(
            Error{.type = ErrorType::provider_bad_response,
                  .status = 502,
                  .message = "The provider's list could not be understood, so it cannot be filtered to your team.",
                  .openai_type = "server_error"});
    }
    co_return std::move(*filtered);
}

} // namespace

Task<Result<void>> check_ownership(Exchange& ex) {
    Ids ids;
    const api::State state = ex.route->state;
    if (state == api::State::object || state == api::State::remove)
        ids.emplace_back(ex.match->object_id.empty() ? std::string_view(ex.match->model) : ex.match->object_id);
    const bool refers = ex.view.has_previous_response || ex.view.has_remote_content || ex.view.has_hosted_tools ||
                        !ex.route->group.empty();
    if (refers && ex.content_type == "application/json" && !ex.body.memory.empty()) {
        auto referenced = api::referenced_ids(ex.body.memory);
        if (!referenced) co_return fail(unreadable_body());
        std::ranges::move(*referenced, std::back_inserter(ids));
    }
    if (ex.route->group.empty() && ex.view.has_previous_response && !granted(*ex.principal, kStoredGroup)) {
        co_return fail(not_granted("use what is stored at the provider (previous_response_id, conversation, prompt, "
                                   "background: true, items named by their id)"));
    }
    // Stored responses are the default, which a client may not know of; a stored chat completion is asked for.
    if (ex.route->operation == api::Operation::chat && creates_stored_response(ex) &&
        !granted(*ex.principal, kStoredGroup))
        co_return fail(not_granted("store chat completions (store: true)"));
    if (ids.empty()) co_return Result<void>();
    const Ids asked = ids;
    const OwnedOutcome outcome = co_await ask_store(ex, std::move(ids));
    if (!outcome.error.empty()) co_return fail(store_failed(outcome.error));
    for (const std::string& id : asked)
        if (!outcome.owned.contains(id)) co_return fail(not_found(id));
    co_return Result<void>();
}

bool creates_stored_response(const Exchange& ex) noexcept {
    const bool stores_by_default =
        ex.route->operation == api::Operation::responses && ex.route->upstream == "/responses";
    const bool stores = ex.view.store_present ? ex.view.store : stores_by_default;
    const bool can_store =
        ex.route->operation == api::Operation::chat || ex.route->operation == api::Operation::responses;
    return ex.route->state == api::State::none && can_store && stores;
}

Task<Result<void>> own_object(Exchange& ex, const upstream::Provider& provider, std::string id, std::string group) {
    std::string team = ex.principal->team;
    auto change = [object = std::move(id), kind = std::move(group), owner = std::move(team),
                   holder = provider.name](policy::Store& store) { return store.own(object, kind, owner, holder); };
    auto done = co_await run_on_store(ex, std::move(change));
    co_return done;
}

Task<Result<void>> own_response(Exchange& ex, const upstream::Provider& provider, std::string id) {
    std::string shown = id;
    auto done = co_await own_object(ex, provider, std::move(id), std::string(kStoredGroup));
    if (done || granted(*ex.principal, kStoredGroup)) co_return done;
    // A key that may not come back to it is answered all the same; the log says what was left at the provider.
    log::warning("a stored response could not be given to its team", {{"object", shown}, {"team", ex.principal->team}});
    co_return Result<void>();
}

bool changes_ownership(const Exchange& ex) noexcept {
    const api::State state = ex.route->state;
    if (state == api::State::none) return creates_stored_response(ex);
    return state != api::State::object || !ex.route->pattern.ends_with("/content");
}

Task<Result<std::string>> apply_ownership(Exchange& ex, const upstream::Provider& provider, std::string body) {
    const api::State state = ex.route->state;
    if (state == api::State::list) {
        auto filtered = co_await filter_to_team(ex, std::move(body));
        if (!filtered) co_return fail(filtered.error());
        body = std::move(*filtered);
    }
    if (state == api::State::list || state == api::State::object) co_await claim_made_files(ex, provider, body);
    if (state == api::State::create) {
        if (auto id = api::created_id(body)) {
            auto done = co_await own_object(ex, provider, std::move(*id), std::string(ex.route->group));
            if (!done) co_return fail(done.error());
        }
    }
    if (creates_stored_response(ex)) {
        if (auto id = api::created_id(body)) {
            auto done = co_await own_response(ex, provider, std::move(*id));
            if (!done) co_return fail(done.error());
        }
    }
    if (state == api::State::remove) {
        std::string id(ex.match->object_id.empty() ? std::string_view(ex.match->model) : ex.match->object_id);
        auto change = [object = std::move(id)](policy::Store& store) { return store.forget(object); };
        auto done = co_await run_on_store(ex, std::move(change));
        if (!done) co_return fail(done.error());
    }
    co_return body;
}

} // namespace tollgate::exchange
