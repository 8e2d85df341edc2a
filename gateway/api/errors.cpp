#include "gateway/api/errors.hpp"

#include "gateway/base/text.hpp"

#include <algorithm>

namespace tollgate::api {
namespace {

// Longest wait every SDK generation honours alike (api-surface §2.3): some sleep any length, some none above it.
constexpr std::uint64_t kMaxWaitMs = 59'000;

// OpenAI's own words where OpenAI has one for the case (api-surface §2.1).
std::string_view default_type(const Error& error) noexcept {
    switch (error.status) {
    case 429: return error.type == ErrorType::policy_rate_limited ? "requests" : "rate_limit_error";
    case 503: return "service_unavailable_error";
    default: return error.status >= 500 ? "server_error" : "invalid_request_error";
    }
}

void append_string_or_null(std::string& out, std::string_view text) {
    if (text.empty()) {
        out += "null";
    } else {
        append_json_string(out, text);
    }
}

void append_error_object(std::string& out, const Error& error, std::string_view request_id) {
    out += "{\"message\":";
    append_json_string(out, error.message);
    out += ",\"type\":";
    append_json_string(out, error.openai_type.empty() ? default_type(error) : error.openai_type);
    out += ",\"param\":";
    append_string_or_null(out, error.param);
    out += ",\"code\":";
    append_string_or_null(out, error.code);
    out += ",\"tollgate\":{\"error_type\":";
    append_json_string(out, to_string(error.type));
    out += ",\"request_id\":";
    append_json_string(out, request_id);
    if (!error.details.empty()) {
        out += ',';
        out += error.details;
    }
    out += "}}";
}

ProviderVerdict passed(int status, ErrorType type) {
    ProviderVerdict verdict;
    verdict.status = status;
    verdict.pass_body = true;
    verdict.error.type = type;
    verdict.error.status = status;
    return verdict;
}

ProviderVerdict replaced(int status, ErrorType type, std::string_view provider, std::string_view what) {
    ProviderVerdict verdict;
    verdict.status = status;
    verdict.error.type = type;
    verdict.error.status = status;
    verdict.error.message = "Provider \"" + std::string(provider) + "\" " + std::string(what);
    verdict.error.details = "\"provider\":";
    append_json_string(verdict.error.details, provider);
    return verdict;
}

void ask_retry(ProviderVerdict& verdict, std::uint64_t retry_after_ms) noexcept {
    if (retry_after_ms == 0) return;
    verdict.error.retry = Retry::after;
    verdict.error.retry_after_ms = retry_after_ms;
}

ProviderVerdict judge_rate_limited(std::uint64_t retry_after_ms, std::string_view provider) {
    auto verdict = replaced(429, ErrorType::provider_rate_limited, provider,
                            "is rate limiting this gateway; the limit is the provider's, not your key's.");
    verdict.error.openai_type = "rate_limit_error";
    verdict.error.code = "rate_limit_exceeded";
    ask_retry(verdict, retry_after_ms);
    return verdict;
}

ProviderVerdict judge_overloaded(std::uint64_t retry_after_ms, std::string_view provider) {
    auto verdict = replaced(503, ErrorType::provider_overloaded, provider, "is overloaded.");
    verdict.error.code = "server_is_overloaded";
    ask_retry(verdict, retry_after_ms);
    return verdict;
}

} // namespace

std::string error_body(const Error& error, std::string_view request_id) {
    std::string out;
    out.reserve(192 + error.message.size() + error.details.size() + request_id.size());
    out += "{\"error\":";
    append_error_object(out, error, request_id);
    out += '}';
    return out;
}

std::string error_event(const Error& error, std::string_view request_id, bool responses_dialect) {
    if (!responses_dialect) return "data: " + error_body(error, request_id) + "\n\n";
    // The flat members are the event's own (api-surface §4.4); `error` makes the SDKs raise that would hand a typed
    // event over as data. No sequence number: the stream's is the provider's and not known here.
    std::string out = "event: error\ndata: {\"type\":\"error\",\"code\":";
    append_string_or_null(out, error.code);
    out += ",\"message\":";
    append_json_string(out, error.message);
    out += ",\"param\":";
    append_string_or_null(out, error.param);
    out += ",\"error\":";
    append_error_object(out, error, request_id);
    out += "}\n\n";
    return out;
}

void append_retry_headers(std::string& out, const Error& error) {
    if (error.retry == Retry::unsaid) return;
    if (error.retry == Retry::never || error.retry_after_ms > kMaxWaitMs) {
        out += "x-should-retry: false\r\n";
        return;
    }
    // 0 means "at once" to some SDKs and "your own back-off" to others, so it is never sent.
    const std::uint64_t wait = std::max<std::uint64_t>(error.retry_after_ms, 1);
    out += "retry-after: " + std::to_string((wait + 999) / 1000) + "\r\n";
    out += "retry-after-ms: " + std::to_string(wait) + "\r\n";
}

ProviderVerdict judge_head_refused(std::string_view provider) {
    auto verdict =
        replaced(405, ErrorType::caller_invalid_request, provider, "does not answer HEAD here; use GET instead.");
    verdict.error.openai_type = "invalid_request_error";
    verdict.error.code = "method_not_supported";
    verdict.error.retry = Retry::never;
    return verdict;
}

ProviderVerdict judge_provider_status(int status, std::uint64_t retry_after_ms, std::string_view provider) {
    switch (status) {
    case 400:
    case 404:
    case 422: return passed(status, ErrorType::caller_invalid_request);
    case 409: return passed(400, ErrorType::caller_invalid_request); // 0.28 clients repeat a 409 for ever
    case 413: return passed(status, ErrorType::caller_too_large);
    case 401:
    case 403:
        return replaced(502, ErrorType::provider_auth_failed, provider,
                        "refused the gateway's credential. Your own key is fine; the gateway's operator must act.");
    case 402:
        return replaced(502, ErrorType::provider_billing, provider,
                        "refused the gateway's account for billing reasons; the gateway's operator must act.");
    case 429: return judge_rate_limited(retry_after_ms, provider);
    case 408:
    case 504:
    case 520:
    case 521:
    case 522:
    case 523:
    case 524: return replaced(504, ErrorType::provider_timeout, provider, "did not answer in time.");
    case 503:
    case 529: return judge_overloaded(retry_after_ms, provider);
    default: break;
    }
    const std::string with = "with status " + std::to_string(status) + ".";
    if (status == 424 || (status >= 500 && status <= 599))
        return replaced(502, ErrorType::provider_server_error, provider, "failed " + with);
    return replaced(502, ErrorType::provider_bad_response, provider, "gave an unusable answer " + with);
}

} // namespace tollgate::api
