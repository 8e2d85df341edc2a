#include "gateway/exchange/habits.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace tollgate::exchange {
namespace {

TimePoint at(int hours) {
    return TimePoint{} + std::chrono::hours(1'000 + hours);
}

TEST(CountQuantileTest, tellsNothing_beforeItKnowsEnough) {
    CountQuantile quantile;
    for (int i = 0; i < 19; ++i) quantile.add(100, at(0));
    EXPECT_FALSE(quantile.at(950));
    quantile.add(100, at(0));
    ASSERT_TRUE(quantile.at(950));
    EXPECT_GE(*quantile.at(950), 100U);
    EXPECT_LE(*quantile.at(950), 125U);
}

TEST(CountQuantileTest, isAtMostAQuarterTooLarge_andNeverTooSmall) {
    std::minstd_rand random(7);
    for (int round = 0; round < 50; ++round) {
        CountQuantile quantile;
        std::vector<std::uint64_t> counts;
        for (int i = 0; i < 400; ++i) {
            counts.push_back(random() % (std::uint64_t{1} << (random() % 28)));
            quantile.add(counts.back(), at(0));
        }
        std::ranges::sort(counts);
        const std::uint64_t exact = counts[380 - 1];
        ASSERT_TRUE(quantile.at(950));
        EXPECT_GE(*quantile.at(950), exact);
        EXPECT_LE(*quantile.at(950), exact + exact / 4 + 1);
    }
}

TEST(CountQuantileTest, whatIsAbsurdlyLarge_countsAsTheLargest) {
    CountQuantile quantile;
    for (int i = 0; i < 20; ++i) quantile.add(UINT64_MAX, at(0));
    ASSERT_TRUE(quantile.at(950));
    EXPECT_GE(*quantile.at(950), 100'000'000U);
}

TEST(CountQuantileTest, followsAChange_byCountAndByTime) {
    CountQuantile quantile;
    for (int i = 0; i < 5'000; ++i) quantile.add(8'000, at(0));
    for (int i = 0; i < 20'000; ++i) quantile.add(10, at(0));
    EXPECT_LE(*quantile.at(950), 12U);

    CountQuantile rare;
    for (int i = 0; i < 100; ++i) rare.add(8'000, at(0));
    for (int i = 0; i < 30; ++i) rare.add(10, at(24 * 7));
    EXPECT_LE(*rare.at(950), 12U) << "a week old";
    rare.add(10, at(24 * 365 * 10));
    EXPECT_FALSE(rare.at(950)) << "all forgotten";
}

TEST(HabitsTest, pairsOfKeyAndModel_areLearnedApart) {
    Habits habits;
    for (int i = 0; i < 30; ++i) {
        habits.note("k_a", "m", {.output = 50, .input_tokens_per_1000_octets = 250}, at(0));
        habits.note("k_b", "m", {.output = 4'000}, at(0));
    }
    EXPECT_EQ(habits.pairs(), 2U);
    EXPECT_LE(*habits.of("k_a", "m").output, 62U);
    EXPECT_GE(*habits.of("k_a", "m").input_tokens_per_1000_octets, 250U);
    EXPECT_GE(*habits.of("k_b", "m").output, 4'000U);
    EXPECT_FALSE(habits.of("k_b", "m").input_tokens_per_1000_octets);
    EXPECT_FALSE(habits.of("k_a", "n").output);
    EXPECT_FALSE(habits.of("k", "_am").output);
}

TEST(HabitsTest, aTokenHasAtLeastOneOctet) {
    Habits habits;
    for (int i = 0; i < 30; ++i) habits.note("k", "m", {.input_tokens_per_1000_octets = 9'000}, at(0));
    EXPECT_EQ(habits.of("k", "m").input_tokens_per_1000_octets, 1'000U);
}

TEST(HabitsTest, areBounded_theOldestPairGoesFirst) {
    Habits habits(10);
    for (int i = 0; i < 30; ++i) habits.note("k", "kept", {.output = 1}, at(0));
    for (int i = 0; i < 100; ++i) {
        habits.note("k", "model " + std::to_string(i), {.output = 1}, at(0));
        habits.note("k", "kept", {.output = 1}, at(0));
    }
    EXPECT_EQ(habits.pairs(), 10U);
    EXPECT_TRUE(habits.of("k", "kept").output);
    habits.note("k", "nothing seen", {}, at(0));
    EXPECT_EQ(habits.pairs(), 10U);
}

} // namespace
} // namespace tollgate::exchange
