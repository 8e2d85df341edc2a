// Private to metrics/: closed label values shared by the registration at load and by the counting of requests.
#pragma once

#include "metrics/record.hpp"
#include "metrics/request_metrics.hpp"

#include <array>
#include <cstddef>
#include <string_view>

namespace tollgate::metrics {

inline constexpr std::size_t kMaxKeySeries = 2'000; // observability §1.2
inline constexpr std::string_view kOtherKey = "_other";
inline constexpr std::string_view kOther = "other";
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

// The key's own label value, or "_other" past the cap.
[[nodiscard]] inline std::string_view key_label(const Vocabulary& vocabulary, std::size_t index) noexcept {
    return index < kMaxKeySeries ? std::string_view(vocabulary.keys[index].id) : kOtherKey;
}

} // namespace tollgate::metrics
