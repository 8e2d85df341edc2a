// Liveness as a pure decision: which event loops have not turned for how long.
#pragma once

#include "gateway/base/time.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>

namespace tollgate::process {

// Without a turn for so long, a loop counts as stuck and /livez says so (reliability §4).
inline constexpr auto kStuckAfter = std::chrono::seconds(10);

// The index of the loop whose last turn is the oldest, if that is more than `limit` before `now`.
[[nodiscard]] std::optional<std::size_t> stuck_loop(std::span<const TimePoint> last_turns, TimePoint now,
                                                    Duration limit) noexcept;

// How often to look, and how old the last turn may be for WATCHDOG=1: two messages fit into an interval, and a loop
// that stops is noticed within half of it. Loops turn at least every 100 ms, so less than 500 ms is no evidence.
struct WatchPlan {
    Duration period;
    Duration limit;
};
[[nodiscard]] WatchPlan watch_plan(std::optional<std::chrono::microseconds> watchdog_interval) noexcept;

} // namespace tollgate::process
