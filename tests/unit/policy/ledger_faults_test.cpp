// The ledger when disks, tables and files let it down.
#include "tests/unit/policy/ledger_fixture.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sqlite3.h>
#include <string>
#include <thread>

namespace tollgate::policy::ledger {
namespace {

TEST(LedgerFaults, a_table_that_cannot_be_written_loses_nothing_f43_f45_s46) {
    const TemporaryDirectory place;
    Options options = small();
    options.log.max_segments = 4;
    const auto ledger = opened(place.path(), options);
    ASSERT_TRUE(ledger->append(an_admit("req_first")).has_value());
    ASSERT_TRUE(ledger->append(a_settle("req_first")).has_value());
    ASSERT_TRUE(ledger->flush().has_value());
    sqlite3* other = nullptr;
    ASSERT_EQ(sqlite3_open((place.path() + "/usage-2026-10-02.db").c_str(), &other), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(other, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr), SQLITE_OK);
    std::size_t settled = 1;
    for (int i = 0; i < 100'000; ++i) {
        const std::string id = "req_" + std::to_string(i);
        if (!ledger->append(an_admit(id))) {
            if (ledger->stats().log.fault.find("do not reach SQLite") != std::string::npos) break;
            std::this_thread::sleep_for(1ms);
            continue;
        }
        ASSERT_TRUE(ledger->append(a_settle(id)).has_value());
        ++settled;
    }
    EXPECT_GT(settled, 100U);
    EXPECT_TRUE(eventually([&] { return ledger->stats().failures > 0; }));
    EXPECT_NE(ledger->stats().table_fault.find("locked"), std::string::npos) << ledger->stats().table_fault;
    EXPECT_FALSE(ledger->append(an_admit("req_refused")).has_value());
    ASSERT_EQ(sqlite3_exec(other, "COMMIT", nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(other);
    EXPECT_TRUE(eventually([&] { return ledger->append(an_admit("req_again")).has_value(); }));
    ASSERT_TRUE(ledger->append(a_settle("req_again")).has_value());
    ASSERT_TRUE(ledger->flush().has_value());
    EXPECT_EQ(requests_in(place.path()), static_cast<std::int64_t>(settled) + 1);
    EXPECT_EQ(ledger->stats().table_fault, "");
    expect_sound(place.path());
}

TEST(LedgerFaults, failing_disks_lose_and_double_nothing_f44) {
    const TemporaryDirectory place;
    std::atomic<int> calls = 0;
    std::atomic<bool> healthy = false;
    Options options = small();
    options.log.segment_size = 256U << 10U;
    options.log.retry_interval = 1ms;
    options.log.sync = [&](int) { return !healthy && ++calls % 5 == 0 ? EIO : 0; };
    std::size_t settled = 0;
    {
        const auto ledger = opened(place.path(), options);
        ASSERT_TRUE(ledger->append(an_admit("req_long")).has_value());
        for (int i = 0; i < 4'000; ++i) {
            const std::string id = "req_" + std::to_string(i);
            ASSERT_TRUE(eventually([&] { return ledger->append(an_admit(id)).has_value(); })) << i;
            ASSERT_TRUE(ledger->append(a_settle(id, kNoon, 1)).has_value());
            ++settled;
            if (i % 100 == 0) static_cast<void>(ledger->flush());
        }
        EXPECT_GT(calls, 20);
        healthy = true;
        EXPECT_TRUE(eventually([&] { return ledger->flush().has_value(); }));
        EXPECT_EQ(ledger->stats().log.fault, "");
        EXPECT_EQ(ledger->stats().rows, settled);
        EXPECT_EQ(ledger->stats().duplicates, 0U) << "what was moved is read once";
        EXPECT_EQ(ledger->stats().orphans, 0U);
        EXPECT_EQ(ledger->stats().log.open, 1U);
        expect_sound(place.path());
    }
    const auto ledger = opened(place.path(), options);
    ASSERT_EQ(ledger->recovered().size(), 1U);
    EXPECT_EQ(ledger->recovered()[0].admit.record().request_id, "req_long");
    ASSERT_TRUE(ledger->flush().has_value());
    EXPECT_EQ(requests_in(place.path()), static_cast<std::int64_t>(settled));
    EXPECT_EQ(ledger->stats().orphans, 0U);
}

TEST(LedgerFaults, replay_is_idempotent) {
    const TemporaryDirectory place;
    Options options = small();
    options.log.segment_size = 4U << 20U;
    {
        const auto ledger = opened(place.path(), options);
        for (int i = 0; i < 500; ++i) {
            const std::string id = "req_" + std::to_string(i);
            ASSERT_TRUE(ledger->append(an_admit(id)).has_value());
            ASSERT_TRUE(ledger->append(a_settle(id, kNoon, 1'000 + i)).has_value());
        }
        ASSERT_TRUE(ledger->append(an_adjust("adj_1", 11)).has_value());
        ASSERT_TRUE(ledger->append(an_admit("req_open")).has_value()); // keeps the segment
        ASSERT_TRUE(ledger->flush().has_value());
    }
    const std::string segment = first_segment(place.path());
    const std::string kept = place.path() + "/kept";
    std::filesystem::copy_file(segment, kept);
    const auto before = totals(place.path(), By::key, 0, INT64_MAX);
    for (int run = 0; run < 2; ++run) {
        std::filesystem::copy_file(kept, segment, std::filesystem::copy_options::overwrite_existing);
        std::fstream file(segment, std::ios::binary | std::ios::in | std::ios::out);
        file.seekp(192);
        file.write(std::string(16, '\0').data(), 16); // "nothing of it was consumed"
        file.close();
        const auto ledger = opened(place.path(), options);
        ASSERT_EQ(ledger->recovered().size(), 1U);
        ASSERT_TRUE(ledger->flush().has_value());
        EXPECT_EQ(ledger->stats().rows, 0U);
        EXPECT_EQ(ledger->stats().duplicates, 501U);
        EXPECT_EQ(*totals(place.path(), By::key, 0, INT64_MAX), *before);
        expect_sound(place.path());
    }
    const auto ledger = opened(place.path(), options);
    ASSERT_TRUE(ledger->flush().has_value());
    EXPECT_EQ(ledger->stats().duplicates, 0U) << "and what is marked is not even tried";
}

TEST(LedgerFaults, an_end_that_only_the_table_knows_is_an_end) {
    const TemporaryDirectory place;
    {
        const auto ledger = opened(place.path());
        ASSERT_TRUE(ledger->append(an_admit("req_1")).has_value());
        ASSERT_TRUE(ledger->append(an_admit("req_2")).has_value());
        ASSERT_TRUE(ledger->append(a_settle("req_1")).has_value());
        ASSERT_TRUE(ledger->flush().has_value());
    }
    const std::string segment = first_segment(place.path());
    (*Segment::open(segment))->cut(kSegmentHead + 2 * frame_of(an_admit("req_1")).size());
    const auto ledger = opened(place.path());
    ASSERT_EQ(ledger->recovered().size(), 1U);
    EXPECT_EQ(ledger->recovered()[0].admit.record().request_id, "req_2");
    EXPECT_EQ(ledger->stats().log.open, 1U);
    ASSERT_TRUE(ledger->append(settle_unknown(ledger->recovered()[0], kNoon)).has_value());
    ASSERT_TRUE(ledger->flush().has_value());
    EXPECT_EQ(requests_in(place.path()), 2);
    expect_sound(place.path());
}

TEST(LedgerFaults, verify_finds_a_flipped_bit_and_a_row_that_is_missing) {
    const TemporaryDirectory place;
    {
        const auto ledger = opened(place.path());
        for (const char* const id : {"req_1", "req_2", "req_3"}) {
            ASSERT_TRUE(ledger->append(an_admit(id)).has_value());
            if (id != std::string("req_3")) ASSERT_TRUE(ledger->append(a_settle(id)).has_value());
        }
        ASSERT_TRUE(ledger->flush().has_value());
        const auto live = verify(place.path());
        ASSERT_TRUE(live.has_value() && live->faults.empty());
        EXPECT_EQ(live->admits, 3U);
        EXPECT_EQ(live->settles, 2U);
        EXPECT_EQ(live->open, 1U);
        EXPECT_EQ(live->pending, 0U);
        EXPECT_EQ(live->days, 1U);
        EXPECT_EQ(live->operations, 2);
        EXPECT_EQ(live->attempts, 4);
        EXPECT_EQ(live->cost_nano, 2 * 2'310'000);
    }
    const std::string segment = first_segment(place.path());
    std::string octets;
    {
        std::ifstream in(segment, std::ios::binary);
        octets.assign(std::istreambuf_iterator<char>(in), {});
    }
    std::string altered = octets;
    const std::size_t second = kSegmentHead + frame_of(an_admit("req_1")).size();
    altered[second + 40] ^= 2;
    std::ofstream(segment, std::ios::binary).write(altered.data(), static_cast<std::streamsize>(altered.size()));
    auto checked = verify(place.path());
    ASSERT_EQ(checked->faults.size(), 1U);
    EXPECT_EQ(checked->faults[0].file, segment);
    EXPECT_EQ(checked->faults[0].offset, second);
    const auto refused = Ledger::open(place.path(), small());
    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().find(segment), std::string::npos) << refused.error();

    std::ofstream(segment, std::ios::binary).write(octets.data(), static_cast<std::streamsize>(octets.size()));
    EXPECT_TRUE(verify(place.path())->faults.empty());
    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open((place.path() + "/usage-2026-10-02.db").c_str(), &raw), SQLITE_OK);
    sqlite3_exec(raw, "DELETE FROM operation WHERE request_id = 'req_2'", nullptr, nullptr, nullptr);
    sqlite3_close(raw);
    checked = verify(place.path());
    ASSERT_EQ(checked->faults.size(), 2U) << "the roll-up that still has it, and the row";
    EXPECT_NE(checked->faults[0].text.find("the roll-up of hour 2026-10-02T12"), std::string::npos);
    EXPECT_NE(checked->faults[1].text.find("req_2"), std::string::npos) << checked->faults[1].text;
}

} // namespace
} // namespace tollgate::policy::ledger
