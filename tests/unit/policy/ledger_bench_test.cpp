// Prints what an operation costs in the ledger, in CPU time; nothing about time is asserted.
#include "gateway/base/request_id.hpp"
#include "policy/ledger/ledger.hpp"
#include "policy/ledger/verify.hpp"
#include "tests/unit/policy/ledger_records.hpp"
#include "tests/unit/policy/temporary_directory.hpp"

#include <gtest/gtest.h>

#include <time.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

namespace tollgate::policy::ledger {
namespace {

double cpu_microseconds(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return 1e6 * static_cast<double>(time.tv_sec) + 1e-3 * static_cast<double>(time.tv_nsec);
}

// What the gateway writes of a usual call: one attempt, two budgets, nothing that it does not know.
struct Call {
    Admit admit;
    Settle settle;
};
Call a_call(std::string_view id, std::string_view key, std::int64_t at_us) {
    Call call{.admit = an_admit(id, at_us), .settle = a_settle(id, at_us, 207'000)};
    call.admit.key = key;
    call.settle.client = {};
    call.settle.trace_id = {};
    call.settle.client_request_id = {};
    call.settle.attempt_count = 1;
    call.settle.attempts.count = 1;
    call.settle.attempts.each[0] = call.settle.attempts.each[1];
    call.settle.config_hash = "9f3c1a5b5b0c4a3f";
    return call;
}

TEST(LedgerBench, admission_settlement_and_row) {
    constexpr std::size_t kCalls = 100'000;
    constexpr std::size_t kKeys = 100;
    constexpr std::size_t kAtOnce = 32; // settlements come in another order than admissions
    const TemporaryDirectory place;
    auto ledger = Ledger::open(place.path(), {});
    ASSERT_TRUE(ledger.has_value()) << ledger.error();
    RequestIds make;
    std::vector<RequestId> ids;
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < kKeys; ++i) keys.push_back("k_" + std::to_string(i));
    const auto at_us = [](std::size_t i) { return kNoon + static_cast<std::int64_t>(i) * 50; }; // 20,000 a second
    for (std::size_t i = 0; i < kCalls; ++i) {
        ids.push_back(
            make.next(WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::microseconds(at_us(i))))));
    }
    const auto call = [&](std::size_t i) { return a_call(ids[i].view(), keys[i * 7 % kKeys], at_us(i)); };
    const double all_before = cpu_microseconds(CLOCK_PROCESS_CPUTIME_ID);
    const double mine_before = cpu_microseconds(CLOCK_THREAD_CPUTIME_ID);
    for (std::size_t i = 0; i < kCalls + kAtOnce; ++i) {
        if (i < kCalls) {
            const Call now = call(i);
            while (!(*ledger)->append(now.admit)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        if (i < kAtOnce) continue;
        const Call end = call((i - kAtOnce) ^ 5U);
        ASSERT_TRUE((*ledger)->append(end.settle).has_value());
    }
    const double mine = cpu_microseconds(CLOCK_THREAD_CPUTIME_ID) - mine_before;
    ASSERT_TRUE((*ledger)->flush().has_value());
    const double all = cpu_microseconds(CLOCK_PROCESS_CPUTIME_ID) - all_before;
    EXPECT_EQ((*ledger)->stats().rows, kCalls);
    (*ledger)->stop();
    std::printf("an operation costs its threads %.2f us, and the ledger's %.2f us\n", mine / double{kCalls},
                (all - mine) / double{kCalls});
    const auto checked = verify(place.path());
    ASSERT_TRUE(checked.has_value());
    EXPECT_TRUE(checked->faults.empty());
    EXPECT_EQ(checked->operations, std::int64_t{kCalls});
}

} // namespace
} // namespace tollgate::policy::ledger
