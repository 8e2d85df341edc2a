// How long to wait before the next attempt to reach Redis.
#pragma once

#include "gateway/base/time.hpp"

#include <algorithm>

namespace tollgate::redis {

inline constexpr std::chrono::milliseconds kMinPause{50};
inline constexpr std::chrono::milliseconds kMaxPause{2'000};

// Decorrelated jitter: anything between the minimum and three times the last pause, so that the workers of a fleet do
// not return to a restarted server in step. `previous` is zero after a connection that worked; `unit` is in [0, 1).
[[nodiscard]] inline Duration next_pause(Duration previous, double unit) {
    const Duration widest = std::clamp<Duration>(previous * 3, kMinPause * 2, kMaxPause);
    const std::chrono::duration<double> spread = widest - kMinPause;
    return kMinPause + std::chrono::duration_cast<Duration>(spread * unit);
}

} // namespace tollgate::redis
