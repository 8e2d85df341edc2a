#include "tests/mock_provider/reply.hpp"

#include "tests/mock_provider/text.hpp"

#include <algorithm>
#include <array>

namespace tollgate::mock {
namespace {

struct KnownError {
    unsigned status;
    std::string_view type;
    std::string_view code; // empty: null
    std::string_view message;
};

constexpr std::array kErrors{
    KnownError{400, "invalid_request_error", "", "The request is invalid."},
    KnownError{401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided: mock-***key."},
    KnownError{402, "insufficient_quota", "insufficient_quota", "Payment required."},
    KnownError{403, "invalid_request_error", "model_not_found", "Project does not have access to the model."},
    KnownError{404, "invalid_request_error", "model_not_found", "The model does not exist."},
    KnownError{405, "invalid_request_error", "method_not_supported", "Method not supported."},
    KnownError{429, "requests", "rate_limit_exceeded",
               "Rate limit reached for requests per min (RPM): Limit 3, Used 3, Requested 1. Try again in 2s."},
    KnownError{503, "service_unavailable_error", "server_is_overloaded", "The server is overloaded."},
};

constexpr KnownError kOtherClientError{0, "invalid_request_error", "", "The request cannot be processed."};
constexpr KnownError kOtherServerError{0, "server_error", "", "The server had an error while processing the request."};

constexpr std::string_view kRateLimitHeaders = "retry-after: 2\r\n"
                                               "retry-after-ms: 2000\r\n"
                                               "x-ratelimit-limit-requests: 3\r\n"
                                               "x-ratelimit-remaining-requests: 0\r\n"
                                               "x-ratelimit-reset-requests: 2s\r\n"
                                               "x-ratelimit-limit-tokens: 40000\r\n"
                                               "x-ratelimit-remaining-tokens: 39000\r\n"
                                               "x-ratelimit-reset-tokens: 1s\r\n";

} // namespace

Reply error_reply(unsigned status, std::string_view message, std::string_view code) {
    const auto* found = std::find_if(kErrors.begin(), kErrors.end(), [&](const auto& e) { return e.status == status; });
    const KnownError& known = found != kErrors.end() ? *found : status >= 500 ? kOtherServerError : kOtherClientError;
    const auto shown_code = code.empty() ? known.code : code;
    Reply reply;
    reply.status = status;
    reply.body = R"({"error":{"message":)";
    append_json_string(reply.body, message.empty() ? known.message : message);
    reply.body.append(R"(,"type":")").append(known.type).append(R"(","param":null,"code":)");
    if (shown_code.empty())
        reply.body.append("null");
    else
        append_json_string(reply.body, shown_code);
    reply.body.append("}}\n");
    if (status == 429) reply.headers = kRateLimitHeaders;
    return reply;
}

} // namespace tollgate::mock
