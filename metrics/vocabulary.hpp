// Private to metrics/: closed label values shared by the registration at load and by the counting of requests.
#pragma once

#include "metrics/record.hpp"
#include "metrics/request_metrics.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tollgate::metrics {

inline constexpr std::size_t kMaxKeySeries = 2'000; // observability §1.2
inline constexpr std::string_view kOtherKey = "_other";
inline constexpr std::string_view kOther = "other";
inline constexpr std::string_view kModelNotInTable = "model_not_in_table";
inline constexpr std::string_view kUnclassified = "_OTHER"; // an error that nobody gave a type: an alert watches it

[[nodiscard]] constexpr std::string_view to_label(bool value) noexcept {
    return value ? "true" : "false";
}

// The three outcomes of the team and key views; everything neither answered nor refused is an error there.
enum class ViewOutcome : std::uint8_t { success, rejected, error };
inline constexpr std::array<std::string_view, 3> kViewOutcomes{"success", "rejected", "error"};
[[nodiscard]] constexpr ViewOutcome view_outcome(Outcome outcome) noexcept {
    if (outcome == Outcome::success) return ViewOutcome::success;
    return outcome == Outcome::rejected ? ViewOutcome::rejected : ViewOutcome::error;
}

// What an operation can end in: each error with the status it is sent with. A status of 200 is a stream that broke
// after its head, 0 an answer that could not be sent. Statuses a provider alone can cause (a 2xx other than 200) are
// not here.
struct KnownFailure {
    ErrorType type;
    std::uint16_t status;
};
inline constexpr std::array kKnownFailures{
    KnownFailure{ErrorType::caller_invalid_request, 400}, KnownFailure{ErrorType::caller_invalid_request, 404},
    KnownFailure{ErrorType::caller_invalid_request, 405}, // HEAD of what the provider knows no HEAD of
    KnownFailure{ErrorType::caller_invalid_request, 408}, KnownFailure{ErrorType::caller_invalid_request, 411},
    KnownFailure{ErrorType::caller_invalid_request, 415}, KnownFailure{ErrorType::caller_invalid_request, 422},
    KnownFailure{ErrorType::caller_invalid_request, 426}, // an Upgrade that no route offers
    KnownFailure{ErrorType::caller_invalid_request, 431}, // trailers
    KnownFailure{ErrorType::caller_invalid_request, 501}, // WebSocket
    KnownFailure{ErrorType::caller_invalid_request, 504}, // only-if-cached
    KnownFailure{ErrorType::caller_unauthenticated, 401}, KnownFailure{ErrorType::caller_model_unknown, 404},
    KnownFailure{ErrorType::caller_too_large, 413},       KnownFailure{ErrorType::caller_cancelled, 0},
    KnownFailure{ErrorType::caller_cancelled, 200},       KnownFailure{ErrorType::policy_access_denied, 403},
    KnownFailure{ErrorType::policy_access_denied, 400}, // unbounded_cost, unpriced_field: the request can be changed
    KnownFailure{ErrorType::policy_model_blocked, 403},   KnownFailure{ErrorType::policy_rate_limited, 429},
    KnownFailure{ErrorType::policy_concurrency, 429},     KnownFailure{ErrorType::policy_budget_exceeded, 429},
    KnownFailure{ErrorType::provider_auth_failed, 502},   KnownFailure{ErrorType::provider_billing, 502},
    KnownFailure{ErrorType::provider_rate_limited, 429},  KnownFailure{ErrorType::provider_overloaded, 503},
    KnownFailure{ErrorType::provider_server_error, 502},  KnownFailure{ErrorType::provider_timeout, 200},
    KnownFailure{ErrorType::provider_timeout, 504},       KnownFailure{ErrorType::provider_connection_failed, 502},
    KnownFailure{ErrorType::provider_bad_response, 200},  KnownFailure{ErrorType::provider_bad_response, 502},
    KnownFailure{ErrorType::provider_stream_broken, 200}, KnownFailure{ErrorType::provider_stream_broken, 502},
    KnownFailure{ErrorType::gateway_internal, 200},       KnownFailure{ErrorType::gateway_internal, 500},
    KnownFailure{ErrorType::gateway_overloaded, 503},     KnownFailure{ErrorType::gateway_shutdown, 0},
    KnownFailure{ErrorType::gateway_shutdown, 200},       KnownFailure{ErrorType::gateway_shutdown, 503},
    KnownFailure{ErrorType::gateway_no_upstream, 503},
};
// Statuses a routed request can be answered with, 0 for none; others (201, say) are a provider's choice and appear with
// their first request.
inline constexpr std::array<int, 20> kRouteStatuses{0,   200, 400, 401, 403, 404, 405, 408, 411, 413,
                                                    415, 422, 426, 429, 431, 500, 501, 502, 503, 504};

// What is answered before a route is known.
inline constexpr std::array<int, 11> kUnmatchedStatuses{0, 400, 401, 404, 405, 408, 413, 417, 431, 501, 503};
// What one call of a provider can end in, but for the client's leaving.
inline constexpr std::array kAttemptErrors{
    ErrorType::caller_invalid_request, ErrorType::provider_auth_failed,       ErrorType::provider_billing,
    ErrorType::provider_rate_limited,  ErrorType::provider_overloaded,        ErrorType::provider_server_error,
    ErrorType::provider_timeout,       ErrorType::provider_connection_failed, ErrorType::provider_bad_response,
    ErrorType::provider_stream_broken, ErrorType::gateway_internal,           ErrorType::gateway_shutdown};

// An HTTP status as a label value.
class StatusText {
  public:
    explicit StatusText(int status) {
        if (status == 0) return;
        end_ = std::to_chars(digits_.data(), digits_.data() + digits_.size(), status).ptr;
    }
    [[nodiscard]] std::string_view view() const {
        if (end_ == nullptr) return "none"; // nothing could be sent
        return {digits_.data(), static_cast<std::size_t>(end_ - digits_.data())};
    }

  private:
    std::array<char, 12> digits_{};
    const char* end_ = nullptr;
};

// The key's own label value, or "_other" past the cap.
[[nodiscard]] inline std::string_view key_label(const Vocabulary& vocabulary, std::size_t index) noexcept {
    return index < kMaxKeySeries ? std::string_view(vocabulary.keys[index].id) : kOtherKey;
}

} // namespace tollgate::metrics
