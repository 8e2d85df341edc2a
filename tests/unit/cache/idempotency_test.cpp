// An Idempotency-Key stands for one question (limits-cache §3.7).
#include "cache/idempotency.hpp"

#include <gtest/gtest.h>

namespace tollgate::cache {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kNow{1h};

Key key(std::uint32_t number) {
    Key out{};
    out[0] = static_cast<std::uint8_t>(number);
    out[1] = static_cast<std::uint8_t>(number >> 8);
    out[2] = static_cast<std::uint8_t>(number >> 16);
    out.back() = static_cast<std::uint8_t>(number * 7);
    return out;
}

TEST(IdempotencyKeys, TheSameQuestionIsTakenAgainAnotherIsNot) {
    IdempotencyKeys keys;
    EXPECT_TRUE(keys.claim(key(1), key(100), kNow));
    EXPECT_TRUE(keys.claim(key(1), key(100), kNow + 1h));
    EXPECT_FALSE(keys.claim(key(1), key(101), kNow + 1h));
    EXPECT_TRUE(keys.claim(key(2), key(101), kNow));
}

TEST(IdempotencyKeys, AKeyIsFreeAgainAfterADay) {
    IdempotencyKeys keys;
    EXPECT_TRUE(keys.claim(key(1), key(100), kNow));
    EXPECT_FALSE(keys.claim(key(1), key(101), kNow + 24h - 1s));
    EXPECT_TRUE(keys.claim(key(1), key(101), kNow + 24h));
    EXPECT_EQ(keys.size(), 1U);
}

TEST(IdempotencyKeys, TheyAreBoundedAndTheOldestGoFirst) {
    IdempotencyKeys keys;
    constexpr std::uint32_t kMany = 200'000;
    for (std::uint32_t i = 0; i < kMany; ++i) ASSERT_TRUE(keys.claim(key(i), key(1), kNow));
    EXPECT_LE(keys.size(), IdempotencyKeys::kMost);
    EXPECT_FALSE(keys.claim(key(kMany - 1), key(2), kNow));
    EXPECT_TRUE(keys.claim(key(0), key(2), kNow)); // forgotten
}

} // namespace
} // namespace tollgate::cache
