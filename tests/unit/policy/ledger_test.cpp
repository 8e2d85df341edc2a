#include "tests/unit/policy/ledger_fixture.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace tollgate::policy::ledger {
namespace {

TEST(Ledger, from_admission_to_the_table) {
    const TemporaryDirectory place;
    const auto ledger = opened(place.path());
    ASSERT_TRUE(ledger->append(an_admit("req_1")).has_value());
    ASSERT_TRUE(ledger->append(a_progress("req_1", kNoon + 1, 5)).has_value());
    ASSERT_TRUE(ledger->append(a_settle("req_1")).has_value());
    ASSERT_TRUE(ledger->append(an_adjust("adj_1", 90)).has_value());
    ASSERT_TRUE(ledger->flush().has_value());
    const auto found = find_operation(place.path(), "req_1");
    ASSERT_TRUE(found.has_value() && found->has_value());
    EXPECT_EQ((*found)->operation.admit.team, "search");
    EXPECT_EQ((*found)->operation.settle.cost.total, 2'310'000);
    const auto all = totals(place.path(), By::team, 0, INT64_MAX);
    ASSERT_EQ(all->size(), 1U);
    EXPECT_EQ(all->front().cost_nano, 2'310'090);
    EXPECT_EQ(ledger->stats().rows, 2U);
    EXPECT_EQ(ledger->stats().log.open, 0U);
    expect_sound(place.path());
}

TEST(Ledger, reaches_the_table_without_being_asked) {
    const TemporaryDirectory place;
    const auto ledger = opened(place.path());
    ASSERT_TRUE(ledger->append(an_admit("req_1")).has_value());
    ASSERT_TRUE(ledger->append(a_settle("req_1")).has_value());
    EXPECT_TRUE(eventually([&] { return ledger->stats().rows == 1; }));
}

TEST(Ledger, an_id_that_is_none_is_our_fault_not_the_clients) {
    const TemporaryDirectory place;
    const auto ledger = opened(place.path());
    const auto refused = ledger->append(an_admit(""));
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().status, 500);
}

TEST(Ledger, a_second_settle_is_ignored_also_after_a_restart_s27) {
    const TemporaryDirectory place;
    for (int start = 0; start < 2; ++start) {
        const auto ledger = opened(place.path());
        if (start == 0) ASSERT_TRUE(ledger->append(an_admit("req_1")).has_value());
        for (int i = 0; i < 3; ++i) ASSERT_TRUE(ledger->append(a_settle("req_1", kNoon, 100 + i)).has_value());
        ASSERT_TRUE(ledger->flush().has_value());
        EXPECT_EQ(ledger->stats().duplicates, start == 0 ? 2U : 3U);
        EXPECT_EQ(ledger->stats().orphans, 0U);
    }
    EXPECT_EQ(requests_in(place.path()), 1);
    EXPECT_EQ((*find_operation(place.path(), "req_1"))->operation.settle.cost.total, 100);
}

TEST(Ledger, what_the_cache_answered_is_one_row_without_admission_s74) {
    const TemporaryDirectory place;
    for (int start = 0; start < 2; ++start) {
        const auto ledger = opened(place.path());
        EXPECT_TRUE(ledger->recovered().empty());
        ASSERT_TRUE(ledger->append(a_served("req_hit", 1'500)).has_value());
        ASSERT_TRUE(ledger->flush().has_value());
        EXPECT_EQ(ledger->stats().orphans, 0U);
        EXPECT_EQ(ledger->stats().log.open, 0U);
    }
    const auto all = totals(place.path(), By::cache, 0, INT64_MAX);
    ASSERT_EQ(all->size(), 1U);
    EXPECT_EQ(all->front().requests, 1) << "the same id counts once";
    EXPECT_EQ(all->front().saved_nano, 1'500);
    EXPECT_EQ(all->front().cost_nano, 0);
    EXPECT_EQ(all->front().in_tokens, 0);
    EXPECT_EQ(all->front().unmetered, 0);
    EXPECT_EQ(all->front().unpriced, 0);
    const auto found = find_operation(place.path(), "req_hit");
    ASSERT_TRUE(found.has_value() && found->has_value());
    EXPECT_EQ((*found)->operation.admit.team, "red");
    EXPECT_EQ((*found)->operation.settle.cache, "hit");
    expect_sound(place.path());
}

TEST(Ledger, a_settle_without_admission_is_kept_and_raises_an_alarm) {
    const TemporaryDirectory place;
    const auto ledger = opened(place.path());
    ASSERT_TRUE(ledger->append(a_settle("req_stray")).has_value());
    ASSERT_TRUE(ledger->flush().has_value());
    EXPECT_EQ(ledger->stats().orphans, 1U);
    EXPECT_EQ(totals(place.path(), By::all, 0, INT64_MAX)->front().cost_nano, 2'310'000);
}

TEST(Ledger, two_of_them_on_one_directory_are_refused_f49) {
    const TemporaryDirectory place;
    const auto ledger = opened(place.path());
    const auto second = Ledger::open(place.path(), small());
    ASSERT_FALSE(second.has_value());
    EXPECT_NE(second.error().find("in use by process"), std::string::npos) << second.error();
}

TEST(Ledger, what_was_open_comes_back_until_it_is_settled_s26) {
    const TemporaryDirectory place;
    {
        Options options = small();
        options.log.segment_size = 1U << 20U; // room for fifty settles at once
        const auto ledger = opened(place.path(), options);
        for (int i = 0; i < 50; ++i) {
            const std::string id = "req_" + std::to_string(i);
            ASSERT_TRUE(ledger->append(an_admit(id)).has_value());
            if (i % 2 == 0) ASSERT_TRUE(ledger->append(a_progress(id, kNoon + 1, 100)).has_value());
        }
        ledger->stop();
        EXPECT_FALSE(ledger->append(an_admit("req_late")).has_value()) << "stopped";
        EXPECT_FALSE(ledger->flush().has_value());
    }
    for (int start = 0; start < 2; ++start) { // a start that settles nothing changes nothing
        const auto ledger = opened(place.path());
        EXPECT_EQ(ledger->recovered().size(), 50U);
        EXPECT_EQ(ledger->stats().log.open, 50U);
        ASSERT_TRUE(ledger->flush().has_value());
    }
    {
        const auto ledger = opened(place.path());
        for (const OpenOperation& operation : ledger->recovered()) {
            ASSERT_TRUE(ledger->append(settle_unknown(operation, kNoon + 60 * kSecond)).has_value());
        }
        ASSERT_TRUE(ledger->flush().has_value());
        EXPECT_EQ(ledger->stats().log.open, 0U);
    }
    const auto ledger = opened(place.path());
    EXPECT_TRUE(ledger->recovered().empty());
    const auto outcomes = totals(place.path(), By::outcome, 0, INT64_MAX);
    ASSERT_EQ(outcomes->size(), 1U);
    EXPECT_EQ(outcomes->front().names.front(), "unknown");
    EXPECT_EQ(outcomes->front().requests, 50);
    EXPECT_EQ(outcomes->front().cost_nano, 25 * 60'000 + 25 * 9'000'000);
    EXPECT_EQ(outcomes->front().unmetered, 25);
    expect_sound(place.path());
}

TEST(Ledger, segments_go_when_all_of_them_is_in_the_table) {
    const TemporaryDirectory place;
    const auto ledger = opened(place.path());
    for (int i = 0; i < 3'000; ++i) {
        const std::string id = "req_" + std::to_string(i);
        ASSERT_TRUE(eventually([&] { return ledger->append(an_admit(id)).has_value(); }));
        ASSERT_TRUE(ledger->append(a_settle(id)).has_value());
    }
    ASSERT_TRUE(ledger->flush().has_value());
    EXPECT_TRUE(eventually([&] { return segments_in(place.path()) <= 2; })) << segments_in(place.path());
    EXPECT_EQ(requests_in(place.path()), 3'000);
    expect_sound(place.path());
}

TEST(Ledger, long_operations_do_not_hold_segments_back) {
    const TemporaryDirectory place;
    {
        const auto ledger = opened(place.path());
        ASSERT_TRUE(ledger->append(an_admit("req_long")).has_value());
        ASSERT_TRUE(ledger->append(a_progress("req_long", kNoon + 1, 42)).has_value());
        for (int i = 0; i < 2'000; ++i) {
            const std::string id = "req_" + std::to_string(i);
            ASSERT_TRUE(eventually([&] { return ledger->append(an_admit(id)).has_value(); }));
            ASSERT_TRUE(ledger->append(a_settle(id)).has_value());
        }
        ASSERT_TRUE(ledger->flush().has_value());
        EXPECT_TRUE(eventually([&] {
            static_cast<void>(ledger->flush());
            return segments_in(place.path()) <= 3;
        })) << segments_in(place.path());
        EXPECT_EQ(ledger->stats().log.open, 1U);
    }
    const auto ledger = opened(place.path());
    ASSERT_EQ(ledger->recovered().size(), 1U);
    EXPECT_EQ(ledger->recovered()[0].admit.record().team, "search");
    ASSERT_TRUE(ledger->recovered()[0].progress.has_value()) << "its progress was carried too";
    EXPECT_EQ(ledger->recovered()[0].progress->record().out_tokens, 42);
    ASSERT_TRUE(ledger->append(a_settle("req_long")).has_value());
    ASSERT_TRUE(ledger->flush().has_value());
    EXPECT_EQ(ledger->stats().orphans, 0U);
    EXPECT_EQ(requests_in(place.path()), 2'001);
}

// Files fail under load, again and again: admits stop meanwhile, every settle finds its place, every row is written
// once.
// Everything a process wrote, read by the next one as if nothing had reached the table or been marked: rows not
// doubled.
// A power cut can keep the table's commit and lose the segment's last octets.
TEST(Ledger, a_day_changes_under_load_and_retention_waits_for_open_operations) {
    const TemporaryDirectory place;
    const auto ledger = opened(place.path());
    const std::int64_t midnight = start_of(day_of(kNoon) + std::chrono::days(1));
    ASSERT_TRUE(ledger->append(an_admit("req_over", midnight - 1)).has_value());
    for (int i = -300; i < 300; ++i) {
        const std::string id = "req_" + std::to_string(i);
        ASSERT_TRUE(eventually([&] { return ledger->append(an_admit(id, midnight + i)).has_value(); }));
        ASSERT_TRUE(ledger->append(a_settle(id, midnight + i, 1)).has_value());
    }
    ASSERT_TRUE(ledger->flush().has_value());
    const auto days = totals(place.path(), By::day, 0, INT64_MAX);
    ASSERT_EQ(days->size(), 2U);
    EXPECT_EQ(days->front().requests, 300);
    EXPECT_EQ(days->back().requests, 300);
    const Day first = day_of(kNoon);
    EXPECT_FALSE(ledger->drop_day(first, midnight - 1).has_value()) << "not over";
    const auto refused = ledger->drop_day(first, midnight + kDay);
    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().find("still open"), std::string::npos) << refused.error();
    ASSERT_TRUE(ledger->append(a_settle("req_over", midnight - 1, 1)).has_value());
    EXPECT_TRUE(ledger->drop_records(first, midnight + kDay).has_value());
    EXPECT_EQ(requests_in(place.path()), 601);
    EXPECT_TRUE(ledger->drop_day(first, midnight + kDay).has_value());
    EXPECT_EQ(requests_in(place.path()), 300);
}

TEST(Ledger, threads_and_queries_side_by_side) {
    const TemporaryDirectory place;
    Options options = small();
    options.log.segment_size = 1U << 20U;
    const auto ledger = opened(place.path(), options);
    constexpr int kThreads = 4;
    constexpr int kEach = 1'500;
    std::atomic<int> running = kThreads;
    std::atomic<std::int64_t> settled = 0;
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < kEach; ++i) {
                const std::string id = std::to_string(t) + '_' + std::to_string(i);
                if (!eventually([&] { return ledger->append(an_admit(id)).has_value(); })) break;
                if (i % 10 == 0) static_cast<void>(ledger->append(a_progress(id, kNoon + 1, i)));
                if (ledger->append(a_settle(id, kNoon, 1))) ++settled;
            }
            --running;
        });
    }
    std::int64_t last = 0;
    while (running > 0) {
        const std::int64_t now = requests_in(place.path());
        EXPECT_GE(now, last);
        last = now;
        expect_sound(place.path());
        static_cast<void>(ledger->flush());
    }
    threads.clear();
    ASSERT_TRUE(ledger->flush().has_value());
    EXPECT_EQ(settled, kThreads * kEach);
    EXPECT_EQ(requests_in(place.path()), kThreads * kEach);
    EXPECT_EQ(ledger->stats().log.open, 0U);
    expect_sound(place.path());
}

} // namespace
} // namespace tollgate::policy::ledger
