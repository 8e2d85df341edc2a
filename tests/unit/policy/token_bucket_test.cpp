#include "policy/token_bucket.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/multiprecision/cpp_int.hpp>
#include <chrono>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <vector>

namespace tollgate::policy {
namespace {

using namespace std::chrono_literals;
using Rational = boost::multiprecision::cpp_rational;

constexpr TimePoint kStart{1'000s};

// The definition of a token bucket, in exact fractions of a token and with nothing clever.
struct Reference {
    Rational rate; // tokens per nanosecond
    Rational capacity;
    Rational tokens;
    TimePoint last;

    Reference(std::uint64_t per_minute, std::uint64_t size, TimePoint now)
        : rate(Rational(per_minute) / 60'000'000'000), capacity(size), tokens(size), last(now) {}
    void advance(TimePoint now) {
        if (now <= last) return;
        tokens = std::min<Rational>(capacity, tokens + rate * (now - last).count());
        last = now;
    }
};

Duration random_step(std::mt19937_64& random) {
    const int magnitude = static_cast<int>(random() % 12);
    std::int64_t scale = 1;
    for (int i = 0; i < magnitude; ++i) scale *= 10;
    return Duration(static_cast<std::int64_t>(random() % 10) * scale - (random() % 8 == 0 ? scale : 0));
}

void compare_with_reference(std::uint64_t rate, std::uint64_t capacity, std::uint64_t seed, int steps) {
    std::mt19937_64 random(seed);
    TokenBucket bucket(rate, capacity, kStart);
    Reference reference(rate, capacity, kStart);
    TimePoint now = kStart;
    for (int i = 0; i < steps; ++i) {
        now = std::max(now + random_step(random), kStart);
        reference.advance(now);
        const bool expected = reference.tokens >= 1;
        ASSERT_EQ(bucket.would_admit(now), expected) << "rate " << rate << " capacity " << capacity << " step " << i;
        if (!expected) continue;
        bucket.take(now);
        reference.tokens -= 1;
    }
    const auto whole = static_cast<std::uint64_t>(boost::multiprecision::cpp_int(numerator(reference.tokens)) /
                                                  denominator(reference.tokens));
    EXPECT_EQ(bucket.remaining(now), whole) << "rate " << rate << " capacity " << capacity;
}

TEST(TokenBucket, random_walk_agrees_with_rational_arithmetic) {
    const std::uint64_t rates[] = {1, 7, 60, 61, 9'973, 1'000'000'000};
    const std::uint64_t capacities[] = {1, 2, 10, 1'000'003};
    std::uint64_t seed = 1;
    for (const std::uint64_t rate : rates) {
        for (const std::uint64_t capacity : capacities) compare_with_reference(rate, capacity, seed++, 5'000);
    }
}

TEST(TokenBucket, million_random_steps_agree_with_rational_arithmetic) {
    compare_with_reference(7, 100, 99, 1'000'000);
}

// 7 per minute is no whole number of nanoseconds: any rounding would show after a million steps.
TEST(TokenBucket, million_steps_of_an_uneven_rate_do_not_drift) {
    TokenBucket bucket(7, 1, kStart);
    TimePoint now = kStart;
    std::uint64_t taken = 0;
    for (int i = 0; i < 1'000'000; ++i) {
        now += bucket.until_next(now);
        ASSERT_TRUE(bucket.would_admit(now)) << "step " << i;
        bucket.take(now);
        ++taken;
    }
    // Each wait is rounded up to a nanosecond, and the part that was waited too long is not lost while the bucket is
    // below its capacity; with capacity 1 it is, so at most one nanosecond per step may be missing.
    const double minutes = std::chrono::duration<double, std::ratio<60>>(now - kStart).count();
    EXPECT_NEAR(minutes * 7, static_cast<double>(taken - 1), 1e-3);
}

TEST(TokenBucket, million_polls_with_room_give_exactly_the_rate) {
    TokenBucket bucket(7, 100, kStart);
    for (int i = 0; i < 100; ++i) bucket.take(kStart);
    std::uint64_t taken = 0;
    const Duration step = 60ms; // a million polls in 1,000 minutes
    for (int i = 1; i <= 1'000'000; ++i) {
        const TimePoint now = kStart + step * i;
        if (!bucket.would_admit(now)) continue;
        bucket.take(now);
        ++taken;
    }
    EXPECT_EQ(taken, 7'000U);
}

TEST(TokenBucket, waits_are_exact_to_the_nanosecond) {
    TokenBucket bucket(7, 3, kStart);
    for (int i = 0; i < 3; ++i) bucket.take(kStart);
    const Duration wait = bucket.until_next(kStart);
    EXPECT_EQ(wait.count(), 8'571'428'572); // ceil(60e9 / 7)
    EXPECT_EQ(bucket.until_more(kStart), wait);
    EXPECT_FALSE(bucket.would_admit(kStart + wait - 1ns));
    EXPECT_TRUE(bucket.would_admit(kStart + wait));
    const Duration full = bucket.until_full(kStart);
    EXPECT_EQ(full.count(), 25'714'285'715); // ceil(180e9 / 7)
    EXPECT_EQ(bucket.remaining(kStart + full - 1ns), 2U);
    EXPECT_EQ(bucket.remaining(kStart + full), 3U);
}

TEST(TokenBucket, full_bucket_waits_for_nothing) {
    const TokenBucket bucket(60, 60, kStart);
    EXPECT_EQ(bucket.remaining(kStart), 60U);
    EXPECT_EQ(bucket.until_next(kStart), 0ns);
    EXPECT_EQ(bucket.until_more(kStart), 0ns);
    EXPECT_EQ(bucket.until_full(kStart), 0ns);
}

TEST(TokenBucket, until_more_counts_from_the_part_already_earned) {
    TokenBucket bucket(60, 60, kStart);
    for (int i = 0; i < 10; ++i) bucket.take(kStart);
    EXPECT_EQ(bucket.until_more(kStart), 1s);
    EXPECT_EQ(bucket.until_more(kStart + 300ms), 700ms);
    EXPECT_EQ(bucket.remaining(kStart + 1s), 51U);
}

TEST(TokenBucket, time_that_jumps_back_gives_no_credit_and_takes_none) {
    TokenBucket bucket(60, 2, kStart);
    bucket.take(kStart + 10s);
    EXPECT_EQ(bucket.remaining(kStart), 1U);
    bucket.take(kStart); // uses the clock of the first
    EXPECT_FALSE(bucket.would_admit(kStart + 10s));
    EXPECT_FALSE(bucket.would_admit(kStart + 11s - 1ns));
    EXPECT_TRUE(bucket.would_admit(kStart + 11s));
}

TEST(TokenBucket, extremes_of_rate_capacity_and_time_do_not_overflow) {
    constexpr std::uint64_t kMost = ~std::uint64_t{0};
    TokenBucket huge(1, kMost, TimePoint::min());
    EXPECT_EQ(huge.remaining(TimePoint::min()), kMost);
    huge.take(TimePoint::min());
    EXPECT_EQ(huge.remaining(TimePoint::min()), kMost - 1);
    EXPECT_EQ(huge.remaining(TimePoint::max()), kMost);

    TokenBucket fast(1'000'000'000, 1, kStart);
    fast.take(kStart);
    EXPECT_EQ(fast.until_next(kStart), 60ns);
    EXPECT_TRUE(fast.would_admit(TimePoint::max()));

    TokenBucket slow(1, 1'000'000'000'000, kStart);
    slow.reconfigure(1, 1'000'000'000'000, kStart);
    for (int i = 0; i < 3; ++i) slow.take(kStart);
    EXPECT_EQ(slow.until_full(kStart), 3min);
}

TEST(TokenBucket, zero_rate_or_capacity_is_refused) {
    EXPECT_THROW(TokenBucket(0, 1, kStart), std::invalid_argument);
    EXPECT_THROW(TokenBucket(1, 0, kStart), std::invalid_argument);
    TokenBucket bucket(60, 60, kStart);
    bucket.take(kStart);
    EXPECT_THROW(bucket.reconfigure(0, 5, kStart), std::invalid_argument);
    EXPECT_EQ(bucket.rate(), 60U);
    EXPECT_EQ(bucket.capacity(), 60U);
    EXPECT_EQ(bucket.remaining(kStart), 59U);
}

TokenBucket half_used_hundred() {
    TokenBucket bucket(100, 100, kStart);
    for (int i = 0; i < 50; ++i) bucket.take(kStart);
    return bucket;
}

TEST(TokenBucket, scenario_14_lowering_keeps_usage) {
    TokenBucket bucket = half_used_hundred();
    bucket.reconfigure(10, 10, kStart);
    EXPECT_EQ(bucket.remaining(kStart), 0U);
    EXPECT_EQ(bucket.until_next(kStart), 6s); // one token of the new limit, not the old usage's debt
}

TEST(TokenBucket, scenario_14_raising_keeps_usage) {
    TokenBucket bucket = half_used_hundred();
    bucket.reconfigure(200, 200, kStart);
    EXPECT_EQ(bucket.remaining(kStart), 150U);
}

TEST(TokenBucket, reconfigure_refills_at_the_old_rate_first) {
    TokenBucket bucket = half_used_hundred();
    bucket.reconfigure(1, 100, kStart + 6s); // ten more were earned at 100 per minute
    EXPECT_EQ(bucket.remaining(kStart + 6s), 60U);
    EXPECT_EQ(bucket.remaining(kStart + 66s), 61U);
}

TEST(TokenBucket, scenario_2_any_minute_stays_within_burst_plus_rate) {
    TokenBucket bucket(60, 10, kStart);
    std::vector<TimePoint> taken;
    for (int ms = 0; ms < 180'000; ms += 7) {
        const TimePoint now = kStart + std::chrono::milliseconds(ms);
        const bool burst = ms > 59'000; // silent first, then everything at once
        if (!burst || !bucket.would_admit(now)) continue;
        bucket.take(now);
        taken.push_back(now);
    }
    for (auto first = taken.begin(); first != taken.end(); ++first) {
        const auto last = std::lower_bound(first, taken.end(), *first + 60s);
        ASSERT_LE(last - first, 70) << "minute from " << (*first - kStart) / 1ms << " ms";
    }
    EXPECT_GT(taken.size(), 120U);
}

} // namespace
} // namespace tollgate::policy
