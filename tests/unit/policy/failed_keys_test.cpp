#include "policy/failed_keys.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tollgate::policy {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart = TimePoint{} + 1h;
constexpr FailedKeys::Source kOne{1};
constexpr FailedKeys::Source kTwo{2};

TEST(FailedKeys, sixty_a_minute_then_a_wait_that_is_true) {
    FailedKeys failed;
    for (int i = 0; i < 60; ++i) ASSERT_EQ(failed.failed(kOne, 60, kStart), 0s) << i;
    EXPECT_EQ(failed.failed(kOne, 60, kStart), 1s);
    EXPECT_EQ(failed.failed(kTwo, 60, kStart), 0s) << "another source is not meant";
    EXPECT_EQ(failed.failed(kOne, 60, kStart + 1s), 0s);
    EXPECT_EQ(failed.failed(kOne, 60, kStart + 1s), 1s);
}

// Otherwise the 429 would tell a guesser that the guess was wrong, and the 200 that it was right.
TEST(FailedKeys, right_key_new_to_a_blocked_source_waits_like_a_wrong_one) {
    FailedKeys failed;
    ASSERT_EQ(failed.failed(kOne, 1, kStart), 0s);
    EXPECT_EQ(failed.failed(kOne, 1, kStart), 60s);
    EXPECT_EQ(failed.succeeded(kOne, "k_new", 1, kStart), 60s);
    EXPECT_EQ(failed.succeeded(kTwo, "k_new", 1, kStart), 0s);
    EXPECT_EQ(failed.succeeded(kOne, "k_new", 1, kStart + 60s), 0s);
}

TEST(FailedKeys, key_in_use_at_the_source_keeps_working) {
    FailedKeys failed;
    ASSERT_EQ(failed.succeeded(kOne, "k_app", 1, kStart), 0s);
    ASSERT_EQ(failed.failed(kOne, 1, kStart), 0s);
    ASSERT_GT(failed.failed(kOne, 1, kStart), 0s);
    EXPECT_EQ(failed.succeeded(kOne, "k_app", 1, kStart), 0s);
    EXPECT_GT(failed.succeeded(kOne, "k_other", 1, kStart), 0s);
}

TEST(FailedKeys, many_keys_of_one_address_are_remembered_and_the_longest_unused_goes_first) {
    FailedKeys failed(16, 100);
    for (int i = 0; i < 101; ++i) ASSERT_EQ(failed.succeeded(kOne, "k" + std::to_string(i), 1, kStart), 0s);
    ASSERT_EQ(failed.succeeded(kOne, "k1", 1, kStart), 0s);
    ASSERT_EQ(failed.failed(kOne, 1, kStart), 0s);
    EXPECT_GT(failed.succeeded(kOne, "k0", 1, kStart), 0s) << "pushed out by the last";
    for (int i = 1; i < 101; ++i) EXPECT_EQ(failed.succeeded(kOne, "k" + std::to_string(i), 1, kStart), 0s) << i;
}

TEST(FailedKeys, memory_is_bounded_and_the_longest_unseen_source_goes_first) {
    FailedKeys failed(2, 2);
    const FailedKeys::Source same_shard{3, 0, 0}; // shards are told apart by all octets modulo 16
    const FailedKeys::Source second{19};
    const FailedKeys::Source third{35};
    ASSERT_EQ(failed.failed(same_shard, 1, kStart), 0s);
    ASSERT_EQ(failed.failed(second, 1, kStart), 0s);
    ASSERT_GT(failed.failed(same_shard, 1, kStart), 0s);
    ASSERT_EQ(failed.failed(third, 1, kStart), 0s); // takes the place of the second
    EXPECT_GT(failed.failed(same_shard, 1, kStart), 0s);
    EXPECT_EQ(failed.failed(second, 1, kStart), 0s);
}

TEST(FailedKeys, changed_limit_takes_effect_on_what_was_used) {
    FailedKeys failed;
    ASSERT_EQ(failed.failed(kOne, 1, kStart), 0s);
    ASSERT_GT(failed.failed(kOne, 1, kStart), 0s);
    EXPECT_EQ(failed.failed(kOne, 10, kStart), 0s);
}

} // namespace
} // namespace tollgate::policy
