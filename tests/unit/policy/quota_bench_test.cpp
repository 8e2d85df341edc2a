// Prints what admit + settle cost at 100,000 keys of one org; nothing about time is asserted.
#include "tests/unit/policy/quota_support.hpp"

#include <gtest/gtest.h>

#include <time.h>

#include <chrono>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

namespace tollgate::policy::quota {
namespace {

// Of this thread, so that other work on the machine counts as little as it can.
double cpu_nanoseconds() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return 1e9 * static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec);
}

void measure(std::size_t keys) {
    constexpr std::size_t kRounds = 300'000;
    Engine engine;
    const auto calendar = std::make_shared<UtcDays>();
    const auto define = [&](std::string kind, std::string name) {
        return engine.define("default",
                             scope(std::move(kind), std::move(name),
                                   {rpm(1'000'000), tpm(1'000'000'000), slots(1'000),
                                    budget(1'000'000 * kUsd, Mode::strict, "day", calendar)}),
                             at());
    };
    const ScopeHandle team = define("team", "search");
    const ScopeHandle org = define("org", "default");
    std::vector<std::vector<ScopeHandle>> principals;
    for (std::size_t i = 0; i < keys; ++i) principals.push_back({define("key", "k" + std::to_string(i)), team, org});
    std::mt19937_64 random(1);
    std::vector<std::pair<std::size_t, ReservationId>> requests;
    for (std::size_t i = 0; i < kRounds; ++i)
        requests.emplace_back(random() % keys, ReservationId("req_" + std::to_string(random())));
    const Ask ask = ask_for({.input = 1'000, .output = 500, .nano = 450'000});
    const Estimate actual{.input = 900, .output = 120, .nano = 207'000};
    std::size_t admitted = 0;
    const double start = cpu_nanoseconds();
    for (std::size_t i = 0; i < kRounds; ++i) {
        const Moment now = at(std::chrono::microseconds(10 * i));
        Admission admission =
            Engine::admit({.id = requests[i].second, .scopes = principals[requests[i].first], .ask = ask, .now = now});
        admitted += admission.reply.admitted;
        admission.reservation.settle(actual, now);
    }
    const double each = (cpu_nanoseconds() - start) / double{kRounds};
    std::printf("admit + settle, 3 scopes x 4 limits, %zu keys: %.0f ns\n", keys, each);
    EXPECT_EQ(admitted, kRounds);
    EXPECT_EQ(engine.store("default")->spent(*org, "day", calendar->at(kWall).id), Nano{kRounds} * actual.nano);
}

TEST(QuotaBench, admit_and_settle) {
    measure(1);
    measure(100'000);
}

} // namespace
} // namespace tollgate::policy::quota
