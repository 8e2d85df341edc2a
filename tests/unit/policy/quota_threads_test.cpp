#include "tests/unit/policy/quota_support.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace tollgate::policy::quota {
namespace {

using namespace std::chrono_literals;

constexpr Nano kCost = 7'654'321;
constexpr int kThreads = 8;

void on_threads(const std::function<void(int)>& work) {
    std::barrier start(kThreads);
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&, i] {
            start.arrive_and_wait();
            work(i);
        });
    }
}

AdmitCommand command(const Org& org, int thread, int n, const Ask& ask, Moment now = at()) {
    return {.id = ReservationId(std::to_string(thread) + "-" + std::to_string(n)),
            .scopes = org.handles,
            .ask = ask,
            .now = now};
}

TEST(QuotaThreads, scenario_32_eight_threads_share_a_budget_for_100_exactly) {
    Org org({scope("key", "k", {rpm(1'000'000), budget(100 * kCost)}), scope("org", "o", {slots(1'000'000)})});
    std::atomic<int> admitted = 0;
    std::atomic<int> crossed = 0;
    on_threads([&](int thread) {
        std::vector<Reservation> open;
        for (int i = 0; i < 500; ++i) {
            Admission admission = Engine::admit(command(org, thread, i, ask_for(money(kCost))));
            if (!admission.reply.admitted) continue;
            ++admitted;
            open.push_back(std::move(admission.reservation));
        }
        for (Reservation& one : open) crossed += static_cast<int>(one.settle(money(kCost), at()).crossings.size());
    });
    EXPECT_EQ(admitted, 100);
    EXPECT_EQ(crossed, 4) << "scenario 42: each threshold by one of them";
    EXPECT_EQ(org.reading(0, 1).spent, 100 * kCost);
    EXPECT_EQ(org.reading(0, 1).state.held, 0);
    EXPECT_EQ(org.remaining(0, 0), 1'000'000 - 100) << "denials took no request";
    EXPECT_EQ(org.reading(1).state.used, 0);
}

TEST(QuotaThreads, scenario_27_one_of_many_settlements_counts) {
    Org org({scope("key", "k", {budget(1'000 * kCost)})});
    for (int round = 0; round < 50; ++round) {
        const std::string id = "r" + std::to_string(round);
        ASSERT_TRUE(
            org.store()
                .admit({.id = ReservationId(id), .scopes = org.handles, .ask = ask_for(money(kCost)), .now = at()})
                .admitted);
        std::atomic<int> settled = 0;
        on_threads([&](int) {
            settled += org.store().settle(ReservationId(id), money(kCost), at()).outcome == Settled::settled;
        });
        ASSERT_EQ(settled, 1);
    }
    EXPECT_EQ(org.reading().spent, 50 * kCost);
}

// Everything at once: reaper, reloads, readers of names, abandoned and settled requests.
TEST(QuotaThreads, nothing_leaks_under_reloads_and_the_reaper) {
    const auto spec = [](std::int64_t rate) {
        ScopeSpec key = scope("key", "k", {rpm(rate), tpm(1'000'000'000), slots(1'000), budget(1'000'000 * kUsd)});
        key.contact = "#team-" + std::to_string(rate);
        return key;
    };
    Org org({spec(1'000'000), scope("org", "o", {slots(1'000), budget(1'000'000 * kUsd)})});
    std::atomic<Nano> charged = 0;
    std::atomic<std::size_t> names = 0;
    on_threads([&](int thread) {
        for (int i = 0; i < 3'000; ++i) {
            const Moment now = at(std::chrono::microseconds(i));
            if (thread == 0) {
                org.engine.define("default", spec(1'000'000 + i), now).reset();
                (void)org.engine.reap(now);
                continue;
            }
            Admission admission = Engine::admit(command(org, thread, i, ask_for({.input = 5, .nano = 10}), now));
            ASSERT_TRUE(admission.reply.admitted);
            names += admission.reply.tightest[0]->names->name.size();
            if (i % 3 == 0) {
                charged += 10; // abandoned
            } else if (i % 3 == 1) {
                charged += 4;
                admission.reservation.settle(Estimate{.input = 2, .nano = 4}, now);
            } else {
                EXPECT_TRUE(admission.reservation.release(now));
            }
        }
    });
    EXPECT_EQ(org.store().totals().open, 0U);
    EXPECT_EQ(names, 7U * 3'000U);
    for (const std::size_t s : {0U, 1U}) {
        const Reading money_reading = org.readings(s).back();
        EXPECT_EQ(money_reading.spent, charged);
        EXPECT_EQ(money_reading.state.held, 0);
    }
    EXPECT_EQ(org.reading(0, 2).state.used, 0);
}

} // namespace
} // namespace tollgate::policy::quota
