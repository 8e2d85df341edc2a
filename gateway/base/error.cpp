#include "gateway/base/error.hpp"

#include <array>

namespace tollgate {

std::string_view to_string(ErrorType type) noexcept {
    static constexpr std::array<std::string_view, kErrorTypeCount> kWords{
        "caller_invalid_request", "caller_unauthenticated",     "caller_model_unknown",   "caller_model_not_available",
        "caller_too_large",       "caller_cancelled",           "policy_access_denied",   "policy_model_blocked",
        "policy_rate_limited",    "policy_concurrency",         "policy_budget_exceeded", "provider_auth_failed",
        "provider_billing",       "provider_rate_limited",      "provider_overloaded",    "provider_server_error",
        "provider_timeout",       "provider_connection_failed", "provider_bad_response",  "provider_stream_broken",
        "gateway_internal",       "gateway_overloaded",         "gateway_shutdown",       "gateway_timeout",
        "gateway_no_upstream",
    };
    return kWords[static_cast<std::size_t>(type)];
}

} // namespace tollgate
