// The one error value of the request path. It names its owner (client, policy, provider, gateway) through its
// type, carries everything the answer to the client needs, and never holds a secret, a prompt or an upstream URL.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate {

// Closed vocabulary of observability: the same word in the error body, the log line and the metric label.
enum class ErrorType : std::uint8_t {
    caller_invalid_request,
    caller_unauthenticated,
    caller_model_unknown,
    caller_model_not_available,
    caller_too_large,
    caller_cancelled,
    policy_access_denied,
    policy_model_blocked,
    policy_rate_limited,
    policy_concurrency,
    policy_budget_exceeded,
    provider_auth_failed,
    provider_billing,
    provider_rate_limited,
    provider_overloaded,
    provider_server_error,
    provider_timeout,
    provider_connection_failed,
    provider_bad_response,
    provider_stream_broken,
    gateway_internal,
    gateway_overloaded,
    gateway_shutdown,
    gateway_timeout,
    gateway_no_upstream,
};
inline constexpr std::size_t kErrorTypeCount = static_cast<std::size_t>(ErrorType::gateway_no_upstream) + 1;

// The word itself, e.g. "policy_rate_limited".
[[nodiscard]] std::string_view to_string(ErrorType type) noexcept;

// Whether the client's SDK should try again. `never` sends x-should-retry: false.
enum class Retry : std::uint8_t { unsaid, never, after };

struct Error {
    ErrorType type = ErrorType::gateway_internal;
    int status = 500;               // HTTP status sent to the client
    std::string message{};          // what happened, whose limit, numbers, what to do
    std::string_view openai_type{}; // OpenAI's error.type; static storage; empty: chosen by status
    std::string_view code{};        // OpenAI's error.code; static storage; empty: null
    std::string param{};            // OpenAI's error.param; empty: null
    Retry retry = Retry::unsaid;
    std::uint64_t retry_after_ms = 0; // meaningful with Retry::after; sent as Retry-After only up to 59 s
    std::string details{};            // further members of error.tollgate: `"scope":"key","limit":60`, no braces
    bool close = false;               // the connection cannot be used for another request
};

template <class T>
using Result = std::expected<T, Error>;

// Shorthand for `return fail(Error{…})`.
[[nodiscard]] inline std::unexpected<Error> fail(Error error) {
    return std::unexpected<Error>(std::move(error));
}

} // namespace tollgate
