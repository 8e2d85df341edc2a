#include "gateway/exchange/local_answers.hpp"

#include "gateway/api/objects.hpp"
#include "gateway/exchange/me.hpp"
#include "gateway/exchange/phases.hpp"
#include "gateway/exchange/reply.hpp"
#include "gateway/exchange/request_body.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace tollgate::exchange {
namespace {

constexpr std::string_view kJson = "application/json";

Error no_such_model(std::string_view name) {
    return Error{.type = ErrorType::caller_model_unknown,
                 .status = 404,
                 .message = fmt::format("The model `{}` does not exist or you do not have access to it.", name),
                 .openai_type = "invalid_request_error",
                 .code = "model_not_found",
                 .param = "model",
                 .retry = Retry::never};
}

Error retired(const api::Route& route) {
    return Error{.type = ErrorType::caller_invalid_request,
                 .status = 404,
                 .message = fmt::format("{} was retired; use /v1/completions or /v1/embeddings.", route.pattern),
                 .openai_type = "invalid_request_error",
                 .code = "endpoint_retired",
                 .retry = Retry::never};
}

// A pattern's models cannot be listed, but one that matches it can be asked for by name.
std::vector<std::string> usable_models(const Exchange& ex) {
    std::vector<std::string> usable;
    std::ranges::copy_if(ex.snapshot->catalog->names(), std::back_inserter(usable),
                         [&](const std::string& name) { return is_usable(ex, name); });
    return usable;
}

} // namespace

Task<bool> answer_options(Exchange& ex) {
    if (ex.head.method != "OPTIONS") co_return false;
    ex.method = api::Method::options;
    ex.record.method = "OPTIONS";
    if (auto ok = admit_body(ex); !ok) {
        co_await send_error(ex, ok.error());
        co_return true;
    }
    co_await send_complete(ex, 204, {}, {}, "allow: GET, HEAD, POST, DELETE, OPTIONS\r\n");
    co_return true;
}

Task<bool> answer_locally(Exchange& ex) {
    const api::Answer answer = ex.route->answer;
    if (answer == api::Answer::retired) {
        co_await send_error(ex, retired(*ex.route));
        co_return true;
    }
    if (answer == api::Answer::proxied || answer == api::Answer::websocket) co_return false;
    std::string body;
    const std::string& model = ex.match->model;
    switch (answer) {
    case api::Answer::models_list: body = api::models_list_body(usable_models(ex)); break;
    case api::Answer::engines_list: body = api::engines_list_body(usable_models(ex)); break;
    case api::Answer::model_get:
    case api::Answer::engine_get:
        if (!is_usable(ex, model)) {
            co_await send_error(ex, no_such_model(model));
            co_return true;
        }
        body = answer == api::Answer::model_get ? api::model_body(model) : api::engine_body(model);
        break;
    case api::Answer::me: body = me_body(ex, {Clock::now(), WallClock::now()}); break;
    case api::Answer::proxied:
    case api::Answer::websocket:
    case api::Answer::retired: break;
    }
    co_await send_complete(ex, 200, kJson, body);
    co_return true;
}

} // namespace tollgate::exchange
