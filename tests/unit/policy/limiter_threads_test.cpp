#include "policy/limiter.hpp"

#include "tests/unit/policy/principals.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <functional>
#include <thread>
#include <vector>

namespace tollgate::policy {
namespace {

using namespace std::chrono_literals;

void on_threads(int count, const std::function<void(int)>& work) {
    std::barrier start(count);
    std::vector<std::jthread> threads;
    for (int i = 0; i < count; ++i) {
        threads.emplace_back([&, i] {
            start.arrive_and_wait();
            work(i);
        });
    }
}

TEST(LimiterThreads, scenarios_1_and_7_exactly_the_limit_is_admitted_at_a_frozen_time) {
    constexpr int kThreads = 8;
    constexpr int kRequests = 20'000;
    constexpr int kLimit = 12'345;
    Limiter limiter;
    const Principal principal = limited(limiter, {.key = rpm(100'000), .team = rpm(kLimit), .org = rpm(90'000)});
    std::atomic<int> admitted = 0;
    std::atomic<int> named = 0;
    on_threads(kThreads, [&](int) {
        for (int i = 0; i < kRequests; ++i) {
            const Admission admission = limiter.admit(principal, kStart);
            if (admission.admitted) ++admitted;
            if (!admission.admitted && admission.tightest->scope_kind == "team") ++named;
        }
    });
    EXPECT_EQ(admitted, kLimit);
    EXPECT_EQ(named, kThreads * kRequests - kLimit);
    EXPECT_EQ(principal.scopes[0].requests->tokens.remaining(kStart), 100'000U - kLimit);
    EXPECT_EQ(principal.scopes[2].requests->tokens.remaining(kStart), 90'000U - kLimit);
}

// Scenario 3 under contention: many keys, one org; what the keys used adds up to what the org gave.
TEST(LimiterThreads, scenario_3_keys_of_one_org_share_it_exactly) {
    constexpr int kThreads = 6;
    constexpr std::uint64_t kOrg = 3'000;
    constexpr std::uint64_t kKey = 1'000;
    Limiter limiter;
    std::vector<Principal> principals;
    for (int i = 0; i < kThreads; ++i) {
        const std::string name = "k" + std::to_string(i);
        Principal principal = principal_of(name);
        principal.scopes[0].requests = limiter.bucket("default", "key", name, rpm(kKey), kStart);
        principal.scopes[2].requests = limiter.bucket("default", "org", "default", rpm(kOrg), kStart);
        principals.push_back(std::move(principal));
    }
    std::atomic<std::uint64_t> admitted = 0;
    on_threads(kThreads, [&](int i) {
        for (int n = 0; n < 5'000; ++n)
            admitted += limiter.admit(principals[static_cast<std::size_t>(i)], kStart).admitted;
    });
    EXPECT_EQ(admitted, kOrg);
    std::uint64_t used = 0;
    for (const Principal& principal : principals) used += kKey - principal.scopes[0].requests->tokens.remaining(kStart);
    EXPECT_EQ(used, kOrg);
}

// Reloads while requests run: every request stays counted.
TEST(LimiterThreads, scenario_14_reloads_under_load_lose_no_usage) {
    constexpr std::uint64_t kLow = 50'000;
    constexpr int kWorkers = 3;
    constexpr int kRequests = 10'000;
    Limiter limiter;
    const Principal principal = limited(limiter, {.key = rpm(kLow)});
    std::atomic<int> admitted = 0;
    on_threads(kWorkers + 1, [&](int i) {
        for (int n = 0; n < kRequests; ++n) {
            if (i < kWorkers) {
                admitted += limiter.admit(principal, kStart).admitted ? 1 : 0;
            } else {
                const Principal reloaded = limited(limiter, {.key = rpm(n % 2 == 0 ? 2 * kLow : kLow)});
                ASSERT_EQ(reloaded.scopes[0].requests, principal.scopes[0].requests);
            }
        }
    });
    EXPECT_EQ(admitted, kWorkers * kRequests);
    EXPECT_EQ(principal.scopes[0].requests->tokens.remaining(kStart), kLow - kWorkers * kRequests);
}

TEST(LimiterThreads, scenario_1_clock_readings_in_any_order_grant_no_more_than_the_last_one_allows) {
    constexpr int kThreads = 4;
    Limiter limiter;
    const Principal principal = limited(limiter, {.key = rpm(60'000, 100)}); // one per millisecond
    std::atomic<std::uint64_t> admitted = 0;
    on_threads(kThreads, [&](int i) {
        for (int n = 0; n < 20'000; ++n) {
            const TimePoint now = kStart + std::chrono::microseconds(n * 50) - std::chrono::milliseconds(i * 20);
            admitted += limiter.admit(principal, now).admitted;
        }
    });
    EXPECT_LE(admitted, 100U + 1'000U);
    EXPECT_GE(admitted, 1'000U);
}

} // namespace
} // namespace tollgate::policy
