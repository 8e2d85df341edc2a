#include "gateway/exchange/phases.hpp"

#include "gateway/api/engine_path.hpp"
#include "gateway/api/model_name.hpp"
#include "gateway/api/objects.hpp"
#include "gateway/base/text.hpp"
#include "gateway/http/grammar.hpp"
#include "gateway/upstream/choose.hpp"
#include "metrics/families.hpp"
#include "policy/directory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace tollgate::exchange {
namespace {

Error caller_error(int status, ErrorType type, std::string message, std::string_view code = {}) {
    return Error{.type = type,
                 .status = status,
                 .message = std::move(message),
                 .openai_type = "invalid_request_error",
                 .code = code,
                 .retry = Retry::never};
}

// A client's own request id is kept for the log if it is harmless (observability §3.5, case 267).
std::string_view client_request_id(const http::RequestHead& head) {
    const auto clean = [](std::string_view value) {
        return !value.empty() && value.size() <= 128 && std::ranges::all_of(value, [](char c) {
            return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') ||
                   std::string_view("-_.:").find(c) != std::string_view::npos;
        });
    };
    for (const std::string_view name : {"x-client-request-id", "x-request-id"}) {
        const auto value = head.find(name).value_or("");
        if (clean(value)) return value;
    }
    return {};
}

// The key as the dialects carry it. Two different ones would make it unclear who asks (case 258).
Result<std::string_view> credential(const http::RequestHead& head) {
    std::optional<std::string_view> found;
    constexpr std::string_view kBearer = "bearer ";
    for (const std::string_view name : {"authorization", "x-api-key", "api-key", "x-goog-api-key"}) {
        auto value = head.find(name);
        if (!value) continue;
        if (name == "authorization") {
            if (value->size() < kBearer.size() || !iequals(value->substr(0, kBearer.size()), kBearer)) continue;
            value = value->substr(kBearer.size());
        }
        if (found && *found != *value)
            return fail(
                caller_error(400, ErrorType::caller_invalid_request, "The request carries two different API keys."));
        found = *value;
    }
    return found.value_or("");
}

void note_model(Exchange& ex, const upstream::Resolved& resolved) {
    ex.model = resolved.model;
    ex.wildcard = resolved.wildcard;
    ex.record.model = resolved.model->name;
    ex.record.model_index = resolved.model->index;
}

Error unknown_model(const Exchange& ex) {
    std::string message = fmt::format("The model `{}` does not exist or you do not have access to it.", ex.model_name);
    std::string best;
    std::size_t distance = 4;
    for (const std::string& name : ex.snapshot->catalog->names()) {
        const std::size_t d = edit_distance(name, ex.model_name, 3);
        if (d >= distance || !is_usable(ex, name)) continue;
        distance = d;
        best = name;
    }
    if (!best.empty()) message += fmt::format(" Did you mean `{}`?", best);
    message += " GET /v1/models lists what your key may use.";
    Error error = caller_error(404, ErrorType::caller_model_unknown, std::move(message), "model_not_found");
    error.param = "model";
    return error;
}

// A model whose every upstream is there for legacy completions is not asked for anything that they are not.
Result<void> check_upstreams(const Exchange& ex) {
    const bool served = std::ranges::any_of(
        ex.model->candidates, [&](const auto& candidate) { return upstream::can_serve(*ex.route, candidate); });
    if (served) return {};
    Error error = caller_error(400, ErrorType::caller_invalid_request,
                               fmt::format("The model `{}` is served here through chat and does not answer {} {}; use "
                                           "/v1/completions or /v1/chat/completions, or another model.",
                                           ex.model_name, api::to_string(ex.route->method), ex.route->pattern),
                               "model_not_supported");
    error.param = "model";
    return fail(std::move(error));
}

Error method_not_taken(const Exchange& ex, std::string_view allow) {
    return caller_error(405, ErrorType::caller_invalid_request,
                        fmt::format("This endpoint does not take {}. It takes: {}.", ex.head.method, allow),
                        "method_not_supported");
}

bool asks_for_websocket(const http::RequestHead& head) {
    return http::list_has(head.find("upgrade").value_or(""), "websocket");
}

// How long this source has to wait before the key it sent is looked at; `principal` is null for a wrong key. A source
// and key that passed on this connection are not asked about again.
Duration source_wait(Exchange& ex, const policy::Principal* principal) {
    const config::Listen& listen = ex.snapshot->config.listen;
    const auto client = client_address(ex.peer, ex.head, listen.trusted_proxies);
    const net::Source source = net::source_of(client.address);
    auto& failed_keys = ex.worker.shared.failed_keys;
    if (principal == nullptr) return failed_keys.failed(source, listen.limits.failed_keys, Clock::now());
    if (ex.peer.passed_key == principal->key_id && ex.peer.passed_source == source) return Duration::zero();
    const Duration wait = failed_keys.succeeded(source, principal->key_id, listen.limits.failed_keys, Clock::now());
    if (wait == Duration::zero()) {
        ex.peer.passed_source = source;
        ex.peer.passed_key = principal->key_id;
    }
    return wait;
}

// Said of right and wrong keys alike, in the same words.
Error too_many_failures(Exchange& ex, Duration wait) {
    ex.record.limit_scope = "address";
    ex.record.limit_name = "failed_keys";
    return Error{
        .type = ErrorType::policy_rate_limited,
        .status = 429,
        .message = "Too many requests with invalid API keys came from your address. Please wait and check the key.",
        .openai_type = "requests",
        .code = "too_many_invalid_keys",
        .retry = Retry::after,
        .retry_after_ms = static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::milliseconds>(wait).count()),
        .details = R"("scope":"address")",
        .close = true};
}

} // namespace

Result<void> route(Exchange& ex) {
    ex.method = api::parse_method(ex.head.method);
    ex.record.method = api::to_string(ex.method);
    ex.record.client_request_id = client_request_id(ex.head);
    ex.record.user_agent = ex.head.find("user-agent").value_or("");
    if (ex.head.find("via").value_or("").find(ex.worker.shared.pseudonym) != std::string_view::npos) {
        return fail(
            Error{.type = ErrorType::gateway_internal,
                  .status = 508,
                  .message = "This request has passed through this gateway before: an upstream points back at it.",
                  .openai_type = "server_error",
                  .retry = Retry::never});
    }
    if (ex.method == api::Method::other) {
        const bool known = ex.head.method == "TRACE" || ex.head.method == "CONNECT";
        return fail(
            caller_error(known ? 405 : 501, ErrorType::caller_invalid_request, "This method is not served here."));
    }
    auto found = api::find_route(ex.method, ex.head.path);
    if (!found.match) {
        if (found.miss.path_known) {
            return fail(method_not_taken(ex, found.miss.allow));
        }
        if (const auto engine = api::engine_in(ex.head.path)) {
            if (auto error = api::judge_model(*engine)) return fail(std::move(*error));
        }
        std::string message = fmt::format("Unknown request URL: {} {}.", ex.head.method, ex.head.path);
        if (!found.miss.suggestion.empty()) message += fmt::format(" Did you mean {}?", found.miss.suggestion);
        return fail(caller_error(404, ErrorType::caller_invalid_request, std::move(message), "unknown_url"));
    }
    if (found.match->route->answer == api::Answer::websocket && !asks_for_websocket(ex.head)) {
        const std::string allow = api::find_route(api::Method::other, ex.head.path).miss.allow;
        if (allow != "GET") return fail(method_not_taken(ex, allow)); // a GET that is no upgrade is no method of it
    }
    ex.match = std::move(found.match);
    ex.route = ex.match->route;
    ex.record.route = ex.route->pattern;
    ex.record.operation = api::to_string(ex.route->operation);
    ex.worker.metrics.started(ex.record.operation);
    return {};
}

Result<void> shed(Exchange& ex) {
    if (ex.worker.pressure != Pressure::shed) return {};
    const std::uint64_t jitter = ex.worker.random() % 4'000; // so that they do not all come back at once
    return fail(
        Error{.type = ErrorType::gateway_overloaded,
              .status = 503,
              .message = "The gateway is overloaded and has not looked at this request. Please try again shortly.",
              .openai_type = "server_error",
              .retry = Retry::after,
              .retry_after_ms = 1'000 + jitter,
              .close = true});
}

Result<void> authenticate(Exchange& ex) {
    const auto presented = credential(ex.head);
    if (!presented) return fail(presented.error());
    const auto now = std::chrono::floor<std::chrono::seconds>(WallClock::now());
    const auto principal = ex.snapshot->directory.authenticate(*presented, now);
    if (presented->empty()) return fail(principal.error()); // a probe, not a guess
    if (const Duration wait = source_wait(ex, principal ? *principal : nullptr); wait != Duration::zero())
        return fail(too_many_failures(ex, wait));
    if (!principal) return fail(principal.error());
    ex.principal = *principal;
    ex.record.key_id = ex.principal->key_id;
    ex.record.key_alias = ex.principal->key_alias;
    ex.record.key_index = ex.principal->index;
    ex.record.team = ex.principal->team;
    return {};
}

Result<void> check_grant(Exchange& ex) {
    if (ex.route->answer == api::Answer::websocket)
        return fail(caller_error(501, ErrorType::caller_invalid_request,
                                 "WebSocket endpoints are not served by this version of the gateway.",
                                 "websocket_not_supported"));
    if (asks_for_websocket(ex.head)) { // case 178
        Error error = caller_error(426, ErrorType::caller_invalid_request,
                                   "This endpoint does not speak WebSocket; send the request without Upgrade.",
                                   "websocket_not_supported");
        error.close = ex.head.framing != http::Framing::none; // the octets that follow may be no HTTP any more
        return fail(std::move(error));
    }
    if (ex.route->group.empty()) return {};
    // The model is judged once the body is known; here only the group.
    if (auto ok = policy::may(*ex.principal, ex.route->group, {}, ex.snapshot->catalog->names()); !ok) return ok;
    if (ex.route->charge == api::Charge::jobs && ex.principal->traits.hard_money) {
        return fail(
            Error{.type = ErrorType::policy_access_denied,
                  .status = 403,
                  .message = fmt::format("Key \"{}\" has a budget, and what {} spend is not known in time to keep it.",
                                         ex.principal->key_id, ex.route->group),
                  .openai_type = "invalid_request_error",
                  .retry = Retry::never});
    }
    ex.group_provider = ex.snapshot->catalog->for_group(ex.route->group);
    if (ex.group_provider == nullptr) {
        return fail(Error{
            .type = ErrorType::gateway_no_upstream,
            .status = 503,
            .message = fmt::format("No provider is configured for {} (default_for in the gateway's configuration).",
                                   ex.route->group),
            .openai_type = "server_error",
            .retry = Retry::never});
    }
    return {};
}

Result<void> inspect(Exchange& ex) {
    const bool json = ex.content_type == "application/json" && !ex.body.memory.empty();
    if (json) {
        auto view = ex.worker.request_reader.read(ex.body.memory, ex.route->operation);
        if (!view) return fail(view.error());
        ex.view = std::move(*view);
    }
    ex.model_name = ex.route->model == api::ModelIn::path && ex.route->group.empty() ? ex.match->model : ex.view.model;
    ex.record.stream = ex.view.stream && ex.route->may_stream;
    return {};
}

Error unreadable_body() {
    return caller_error(400, ErrorType::caller_invalid_request,
                        "The body cannot be checked for the objects and models it refers to.", "invalid_json");
}

Result<void> authorize(Exchange& ex) {
    if (!ex.route->group.empty()) {
        if (ex.model_name.empty()) return {};
        return policy::may(*ex.principal, ex.route->group, ex.model_name, ex.snapshot->catalog->names());
    }
    if (ex.model_name.empty() && ex.route->operation == api::Operation::moderation)
        ex.model_name = "omni-moderation-latest";
    if (ex.model_name.empty() && ex.route->operation == api::Operation::image) ex.model_name = "dall-e-2";
    if (ex.model_name.empty()) {
        Error error = caller_error(400, ErrorType::caller_invalid_request, "You must provide a model parameter.",
                                   "missing_required_parameter");
        error.param = "model";
        return fail(std::move(error));
    }
    ex.record.model = "other";
    const auto resolved = ex.snapshot->catalog->find(ex.model_name);
    if (!resolved) return fail(unknown_model(ex));
    note_model(ex, *resolved);
    if (ex.view.has_hosted_tools) {
        const auto models = api::tool_models(ex.body.memory);
        if (!models) return fail(unreadable_body());
        for (const std::string& model : *models) {
            if (auto ok = policy::may(*ex.principal, {}, model, ex.snapshot->catalog->names()); !ok) return ok;
        }
    }
    if (auto ok = may_use_model(ex); !ok) return ok;
    return check_upstreams(ex);
}

Result<void> may_use_model(const Exchange& ex) {
    const auto& known = ex.snapshot->catalog->names();
    const bool is_alias = ex.model != nullptr && !ex.wildcard && ex.model->name != ex.model_name;
    if (is_alias && policy::may(*ex.principal, ex.route->group, ex.model->name, known)) return {};
    return policy::may(*ex.principal, ex.route->group, ex.model_name, known);
}

bool is_usable(const Exchange& ex, std::string_view model) {
    const auto& known = ex.snapshot->catalog->names();
    const auto resolved = ex.snapshot->catalog->find(model);
    if (!resolved) return false;
    return policy::may(*ex.principal, {}, model, known) ||
           (!resolved->wildcard && policy::may(*ex.principal, {}, resolved->model->name, known));
}

} // namespace tollgate::exchange
