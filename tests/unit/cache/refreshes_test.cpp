#include "cache/refreshes.hpp"

#include <gtest/gtest.h>

namespace tollgate::cache {
namespace {

using namespace std::chrono_literals;

Key key(std::uint32_t number) {
    Key out{};
    for (std::size_t i = 0; i < 4; ++i) out[i] = static_cast<std::uint8_t>(number >> (8 * i));
    return out;
}

const TimePoint kNow = TimePoint(1h);

TEST(Refreshes, One_per_key_until_it_ended) {
    Refreshes refreshes;
    EXPECT_TRUE(refreshes.begin(key(1), kNow));
    EXPECT_FALSE(refreshes.begin(key(1), kNow + 1h));
    EXPECT_TRUE(refreshes.begin(key(2), kNow));
    refreshes.end(key(1), true, kNow);
    EXPECT_TRUE(refreshes.begin(key(1), kNow));
}

TEST(Refreshes, A_failed_one_pauses) {
    Refreshes refreshes;
    ASSERT_TRUE(refreshes.begin(key(1), kNow));
    refreshes.end(key(1), false, kNow);
    EXPECT_FALSE(refreshes.begin(key(1), kNow + Refreshes::kPause - 1ms));
    EXPECT_TRUE(refreshes.begin(key(1), kNow + Refreshes::kPause));
}

TEST(Refreshes, It_is_bounded_and_pauses_make_room) {
    Refreshes refreshes;
    for (std::uint32_t i = 0; i < Refreshes::kMost; ++i) ASSERT_TRUE(refreshes.begin(key(i), kNow));
    EXPECT_FALSE(refreshes.begin(key(1'000'000), kNow));
    refreshes.end(key(7), false, kNow);
    EXPECT_FALSE(refreshes.begin(key(1'000'000), kNow));
    EXPECT_TRUE(refreshes.begin(key(1'000'000), kNow + Refreshes::kPause));
}

} // namespace
} // namespace tollgate::cache
