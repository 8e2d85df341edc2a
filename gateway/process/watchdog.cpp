#include "gateway/process/watchdog.hpp"

#include <algorithm>

namespace tollgate::process {

std::optional<std::size_t> stuck_loop(std::span<const TimePoint> last_turns, TimePoint now, Duration limit) noexcept {
    const auto oldest = std::ranges::min_element(last_turns);
    if (oldest == last_turns.end() || now - *oldest <= limit) return std::nullopt;
    return static_cast<std::size_t>(oldest - last_turns.begin());
}

WatchPlan watch_plan(std::optional<std::chrono::microseconds> watchdog_interval) noexcept {
    constexpr Duration kUsual = std::chrono::seconds(1);
    constexpr Duration kShortestLimit = std::chrono::milliseconds(500);
    if (!watchdog_interval) return {kUsual, kStuckAfter};
    const Duration interval = *watchdog_interval;
    return {std::min(kUsual, interval / 4), std::max(kShortestLimit, interval / 2)};
}

} // namespace tollgate::process
