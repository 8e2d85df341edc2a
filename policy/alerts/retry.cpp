#include "policy/alerts/retry.hpp"

#include <algorithm>

namespace tollgate::policy::alerts {

std::optional<WallTime> next_attempt(unsigned failed, WallTime born, WallTime now) noexcept {
    constexpr unsigned kDoublings = 12; // 4,096 s: more than the longest pause
    const WallTime last = born + kGiveUpAfter;
    if (now >= last) return std::nullopt;
    const auto pause = kFirstPause * (1U << std::min(failed > 0 ? failed - 1 : 0U, kDoublings));
    return std::min(now + std::min<WallTime::duration>(pause, kLongestPause), last);
}

} // namespace tollgate::policy::alerts
