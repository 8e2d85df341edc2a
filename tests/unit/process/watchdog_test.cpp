// Liveness is evidence from every loop, never a bare timer.
#include "gateway/process/watchdog.hpp"

#include "gateway/process/notify.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace tollgate::process {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kNow{seconds(1000)};

TEST(Watchdog, LoopsThatTurnAreNotStuck) {
    const std::array turns{kNow - milliseconds(100), kNow};
    EXPECT_FALSE(stuck_loop(turns, kNow, seconds(1)));
    EXPECT_FALSE(stuck_loop({}, kNow, seconds(1)));
}

TEST(Watchdog, OneStuckLoopIsEnoughAndIsNamed) {
    const std::array turns{kNow, kNow - seconds(3), kNow - seconds(2)};
    EXPECT_EQ(stuck_loop(turns, kNow, seconds(1)), 1U);
}

TEST(Watchdog, ExactlyTheLimitIsStillAlive) {
    const std::array turns{kNow - seconds(10)};
    EXPECT_FALSE(stuck_loop(turns, kNow, kStuckAfter));
    EXPECT_TRUE(stuck_loop(turns, kNow + milliseconds(1), kStuckAfter));
}

TEST(Watchdog, TwoMessagesFitIntoAnInterval) {
    for (const microseconds interval :
         {microseconds(milliseconds(400)), microseconds(seconds(3)), microseconds(seconds(60))}) {
        const WatchPlan plan = watch_plan(interval);
        EXPECT_LE(2 * plan.period, interval);
        EXPECT_LE(plan.period, seconds(1));
        EXPECT_GE(plan.limit, milliseconds(500));
    }
    EXPECT_EQ(watch_plan(std::nullopt).limit, kStuckAfter);
}

TEST(Watchdog, IntervalComesFromTheManagerAndIsForThisProcess) {
    constexpr long kPid = 4711;
    const auto asked = [](std::string usec, std::string pid) {
        return watchdog_interval({"", std::move(usec), std::move(pid)}, kPid);
    };
    EXPECT_EQ(asked("3000000", ""), microseconds(seconds(3)));
    EXPECT_EQ(asked("3000000", "4711"), microseconds(seconds(3)));
    EXPECT_FALSE(asked("3000000", "4712"));
    for (const auto* wrong : {"", "0", "-1", "3s", "99999999999999999999"}) EXPECT_FALSE(asked(wrong, "")) << wrong;
}

} // namespace
} // namespace tollgate::process
