#include "cache/redis/reply_queue.hpp"

#include "cache/redis/backoff.hpp"

#include <gtest/gtest.h>

namespace tollgate::redis {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart = TimePoint(1h);

TEST(ReplyQueue, Slots_leave_in_order) {
    ReplyQueue queue;
    EXPECT_FALSE(queue.pop());
    EXPECT_EQ(queue.next_event(), kNever);
    auto first = std::make_unique<Waiter>();
    const Waiter* const expected = first.get();
    queue.push(kStart + 30ms, std::move(first));
    queue.push(kStart + 40ms, nullptr);
    EXPECT_EQ(queue.next_event(), kStart + 30ms);
    const auto one = queue.pop();
    ASSERT_TRUE(one);
    EXPECT_EQ(one->waiter.get(), expected);
    EXPECT_TRUE(one->in_time);
    const auto two = queue.pop();
    ASSERT_TRUE(two);
    EXPECT_EQ(two->waiter, nullptr);
    EXPECT_FALSE(queue.pop());
}

TEST(ReplyQueue, A_passed_deadline_gives_up_the_waiter_and_keeps_the_slot) {
    ReplyQueue queue;
    queue.push(kStart, std::make_unique<Waiter>());
    queue.push(kStart + 10ms, nullptr);
    queue.push(kStart + 20ms, std::make_unique<Waiter>());
    EXPECT_EQ(queue.expire(kStart - 1ms).count, 0U);
    const auto expired = queue.expire(kStart + 10ms);
    EXPECT_EQ(expired.count, 2U);
    EXPECT_EQ(expired.waiters.size(), 1U);
    EXPECT_EQ(queue.size(), 3U);
    EXPECT_EQ(queue.expire(kStart + 10ms).count, 0U) << "expired twice";
    EXPECT_EQ(queue.next_event(), kStart + 20ms);
    const auto late = queue.pop();
    ASSERT_TRUE(late);
    EXPECT_FALSE(late->in_time);
    EXPECT_EQ(late->waiter, nullptr);
    EXPECT_FALSE(queue.pop()->in_time);
    const auto third = queue.pop();
    EXPECT_TRUE(third->in_time);
    EXPECT_NE(third->waiter, nullptr);
}

TEST(ReplyQueue, Silence_for_a_second_after_a_timeout_means_dead) {
    ReplyQueue queue;
    queue.push(kStart, nullptr);
    EXPECT_FALSE(queue.dead(kStart + 10s)) << "nothing has expired yet";
    static_cast<void>(queue.expire(kStart));
    EXPECT_EQ(queue.next_event(), kStart + 1s);
    EXPECT_FALSE(queue.dead(kStart + 999ms));
    EXPECT_TRUE(queue.dead(kStart + 1s));
    queue.heard(kStart + 900ms);
    EXPECT_FALSE(queue.dead(kStart + 1s));
    EXPECT_EQ(queue.next_event(), kStart + 1900ms);
    static_cast<void>(queue.pop());
    EXPECT_FALSE(queue.dead(kStart + 10s)) << "everything was answered";
    EXPECT_EQ(queue.next_event(), kNever);
}

TEST(ReplyQueue, Clear_counts_what_had_not_expired) {
    ReplyQueue queue;
    queue.push(kStart, std::make_unique<Waiter>());
    queue.push(kStart + 1s, nullptr);
    queue.push(kStart + 1s, std::make_unique<Waiter>());
    static_cast<void>(queue.expire(kStart));
    const auto all = queue.clear();
    EXPECT_EQ(all.count, 2U);
    EXPECT_EQ(all.waiters.size(), 1U);
    EXPECT_EQ(queue.size(), 0U);
    EXPECT_EQ(queue.next_event(), kNever);
}

TEST(Backoff, Stays_between_50_ms_and_2_s_and_grows) {
    for (const double unit : {0.0, 0.3, 0.5, 0.999999}) {
        Duration pause{};
        for (int i = 0; i < 20; ++i) {
            pause = next_pause(pause, unit);
            EXPECT_GE(pause, 50ms);
            EXPECT_LE(pause, 2s);
        }
        if (unit > 0.9) EXPECT_GE(pause, 1900ms);
    }
    EXPECT_LT(next_pause(Duration::zero(), 0.999999), 101ms) << "the first attempt comes soon";
    EXPECT_NE(next_pause(100ms, 0.1), next_pause(100ms, 0.9)) << "no jitter";
}

} // namespace
} // namespace tollgate::redis
