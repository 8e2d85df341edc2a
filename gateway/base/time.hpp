// Time as values. Decisions take a time point as an argument; only coroutines and the worker's tick read a clock.
#pragma once

#include <chrono>

namespace tollgate {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;
using WallClock = std::chrono::system_clock;
using WallTime = WallClock::time_point;

inline constexpr TimePoint kNever = TimePoint::max();

// Milliseconds as a double, for logs and Server-Timing.
[[nodiscard]] inline double to_ms(Duration d) {
    return std::chrono::duration<double, std::milli>(d).count();
}

} // namespace tollgate
