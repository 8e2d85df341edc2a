#include "gateway/exchange/overload.hpp"

#include <gtest/gtest.h>

namespace tollgate::exchange {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kLimit = 1'000'000'000;

Pressure at(std::uint64_t percent, Pressure before = Pressure::none) {
    return memory_pressure(kLimit / 100 * percent + percent, kLimit, before);
}

TEST(MemoryPressure, f63_three_steps_up) {
    EXPECT_EQ(at(84), Pressure::none);
    EXPECT_EQ(at(85), Pressure::trim);
    EXPECT_EQ(at(92), Pressure::no_keep_alive);
    EXPECT_EQ(at(95), Pressure::shed);
    EXPECT_EQ(at(300), Pressure::shed);
}

TEST(MemoryPressure, a_step_is_left_three_points_below) {
    EXPECT_EQ(at(92, Pressure::shed), Pressure::shed);
    EXPECT_EQ(at(91, Pressure::shed), Pressure::no_keep_alive);
    EXPECT_EQ(at(88, Pressure::shed), Pressure::trim);
    EXPECT_EQ(at(82, Pressure::trim), Pressure::trim);
    EXPECT_EQ(at(81, Pressure::trim), Pressure::none);
}

TEST(MemoryPressure, no_known_limit_never_presses) {
    EXPECT_EQ(memory_pressure(kLimit, 0, Pressure::shed), Pressure::none);
}

TEST(ConnectionPressure, idle_ones_make_room_from_nine_tenths_on) {
    EXPECT_EQ(connection_pressure(89, 100), Pressure::none);
    EXPECT_EQ(connection_pressure(90, 100), Pressure::no_keep_alive);
    EXPECT_EQ(connection_pressure(100, 100), Pressure::no_keep_alive);
    EXPECT_EQ(connection_pressure(5, 5), Pressure::none) << "so few connections are somebody's choice";
}

TEST(LoopLag, f64_one_late_tick_sheds_for_a_second) {
    LoopLag lag;
    const TimePoint now = TimePoint{} + 1h;
    lag.observe(499ms, 500ms, now);
    EXPECT_EQ(lag.pressure(now), Pressure::none);
    lag.observe(500ms, 500ms, now);
    EXPECT_EQ(lag.pressure(now + 999ms), Pressure::shed);
    lag.observe(1ms, 500ms, now + 100ms);
    EXPECT_EQ(lag.pressure(now + 999ms), Pressure::shed) << "a quick tick does not take it back";
    EXPECT_EQ(lag.pressure(now + 1s), Pressure::none);
}

TEST(Memory, trimming_is_worth_64_mib_that_belong_to_nobody) {
    constexpr std::uint64_t kMiB = 1 << 20;
    EXPECT_FALSE(worth_trimming(60 * kMiB, 0));
    EXPECT_FALSE(worth_trimming(100 * kMiB, 36 * kMiB));
    EXPECT_TRUE(worth_trimming(100 * kMiB, 35 * kMiB));
    EXPECT_FALSE(worth_trimming(500 * kMiB, 600 * kMiB)) << "allocated and never touched";
}

TEST(Memory, kernel_says_what_there_is_and_what_is_used) {
    EXPECT_GT(memory_in_use(), 1'000'000U);
    EXPECT_GT(memory_available(), memory_in_use());
}

} // namespace
} // namespace tollgate::exchange
