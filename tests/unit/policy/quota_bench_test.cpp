// Prints what admit + settle cost at 100,000 keys of one org, alone and with the ledger's two records; nothing about
// time is asserted.
#include "policy/ledger/ledger.hpp"
#include "tests/unit/policy/ledger_records.hpp"
#include "tests/unit/policy/quota_support.hpp"
#include "tests/unit/policy/temporary_directory.hpp"

#include <gtest/gtest.h>

#include <time.h>

#include <chrono>
#include <cstdio>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace tollgate::policy::quota {
namespace {

// Of this thread, so that other work on the machine counts as little as it can.
double cpu_nanoseconds() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return 1e9 * static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec);
}

// A refusal ends when the next segment is there.
template <class R>
void keep(ledger::Ledger& book, const R& record) {
    while (!book.append(record)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

void measure(std::size_t keys, ledger::Ledger* book) {
    constexpr std::size_t kRounds = 100'000;
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
        if (book != nullptr) keep(*book, ledger::an_admit(requests[i].second.view()));
        admission.reservation.settle(actual, now);
        if (book != nullptr) keep(*book, ledger::a_settle(requests[i].second.view()));
    }
    const double each = (cpu_nanoseconds() - start) / double{kRounds};
    std::printf("admit + settle%s, 3 scopes x 4 limits, %zu keys: %.0f ns\n", book == nullptr ? "" : " + ledger", keys,
                each);
    EXPECT_EQ(admitted, kRounds);
    EXPECT_EQ(engine.store("default")->spent(*org, "day", calendar->at(kWall).id), Nano{kRounds} * actual.nano);
}

TEST(QuotaBench, admit_and_settle) {
    measure(1, nullptr);
    measure(100'000, nullptr);
    const TemporaryDirectory place;
    auto book = ledger::Ledger::open(place.path(), {});
    ASSERT_TRUE(book.has_value()) << book.error();
    measure(100'000, book->get());
}

} // namespace
} // namespace tollgate::policy::quota
