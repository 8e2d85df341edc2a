// When a message that was not taken is sent again. Pure.
#pragma once

#include "gateway/base/time.hpp"

#include <optional>

namespace tollgate::policy::alerts {

inline constexpr auto kFirstPause = std::chrono::seconds(1);
inline constexpr auto kLongestPause = std::chrono::hours(1);
inline constexpr auto kGiveUpAfter = std::chrono::hours(24);

// After the `failed`-th attempt (from 1) failed at `now`: pauses double from a second to an hour. Nothing: it was born
// too long ago and is given up. The last attempt is not before that moment, so an outage of a day is survived; a
// message that was never tried is tried once, however old.
[[nodiscard]] std::optional<WallTime> next_attempt(unsigned failed, WallTime born, WallTime now) noexcept;

} // namespace tollgate::policy::alerts
