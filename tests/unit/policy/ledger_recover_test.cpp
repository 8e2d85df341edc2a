#include "policy/ledger/recover.hpp"

#include "policy/ledger/segment_log.hpp"
#include "tests/unit/policy/ledger_records.hpp"
#include "tests/unit/policy/temporary_directory.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace tollgate::policy::ledger {
namespace {

constexpr std::size_t kSmall = 64U << 10U;

std::string contents(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void overwrite(const std::string& file, std::string_view text) {
    std::ofstream(file, std::ios::binary | std::ios::trunc)
        .write(text.data(), static_cast<std::streamsize>(text.size()));
}

// A segment with `frames`, synced as after a clean stop, or not at all.
std::string make(const std::string& directory, const std::vector<std::string>& frames, bool synced,
                 Sequence sequence = kSequenceStep) {
    const auto segment = Segment::create(directory, sequence, kSmall);
    if (!segment) throw std::runtime_error(segment.error());
    for (const std::string& frame : frames) (*segment)->append(frame);
    if (synced) (*segment)->set_synced((*segment)->used());
    return (*segment)->file();
}

std::vector<std::string> three_operations() {
    return {frame_of(an_admit("req_1")), frame_of(a_settle("req_1")), frame_of(an_admit("req_2")),
            frame_of(a_settle("req_2")), frame_of(an_admit("req_3")), frame_of(a_settle("req_3"))};
}

std::size_t end_of(const std::vector<std::string>& frames, std::size_t count) {
    std::size_t end = kSegmentHead;
    for (std::size_t i = 0; i < count; ++i) end += frames[i].size();
    return end;
}

Recovery recovered(const std::string& path) {
    auto recovery = recover(path);
    if (!recovery) throw std::runtime_error(recovery.error());
    return std::move(*recovery);
}

TEST(LedgerRecover, an_empty_directory_is_an_empty_ledger) {
    const TemporaryDirectory place;
    const Recovery recovery = recovered(place.path());
    EXPECT_TRUE(recovery.segments.empty());
    EXPECT_TRUE(recovery.open.empty());
    EXPECT_FALSE(recover(place.path() + "/none").has_value());
}

TEST(LedgerRecover, unmatched_admits_come_back_with_their_last_progress) {
    const TemporaryDirectory place;
    make(place.path(),
         {frame_of(an_admit("req_1")), frame_of(an_admit("req_2")), frame_of(an_admit("req_3")),
          frame_of(a_progress("req_2", kNoon + 20, 200)), frame_of(a_progress("req_2", kNoon + 10, 100)),
          frame_of(a_settle("req_1")), frame_of(an_adjust("adj_1", 5))},
         false);
    for (int run = 0; run < 2; ++run) {
        const Recovery recovery = recovered(place.path());
        EXPECT_EQ(recovery.records, 7U);
        ASSERT_EQ(recovery.open.size(), 2U) << run;
        EXPECT_EQ(recovery.open[0].admit.record().request_id, "req_2");
        ASSERT_TRUE(recovery.open[0].progress.has_value());
        EXPECT_EQ(recovery.open[0].progress->record().out_tokens, 200);
        EXPECT_EQ(recovery.open[1].admit.record().request_id, "req_3");
        EXPECT_FALSE(recovery.open[1].progress.has_value());
        EXPECT_TRUE(recovery.cuts.empty());
    }
}

TEST(LedgerRecover, a_later_admit_of_the_same_request_replaces_the_first) {
    const TemporaryDirectory place;
    Admit dearer = an_admit("req_1");
    dearer.attempt = 2;
    dearer.reserved_nano = 50'000'000;
    make(place.path(), {frame_of(an_admit("req_1")), frame_of(dearer)}, false);
    const Recovery recovery = recovered(place.path());
    ASSERT_EQ(recovery.open.size(), 1U);
    EXPECT_EQ(recovery.open[0].admit.record().reserved_nano, 50'000'000);
}

TEST(LedgerRecover, unknown_ends_are_charged_at_progress_or_the_full_reserve_never_at_zero) {
    const std::string start = frame_of(an_admit("req_1"));
    const std::string middle = frame_of(a_progress("req_1", kNoon + 5, 100));
    const OpenOperation with{.admit = Kept<Admit>(start), .progress = Kept<Progress>(middle)};
    const Settle partly = settle_unknown(with, kNoon + kSecond);
    EXPECT_EQ(partly.outcome, "unknown");
    EXPECT_EQ(partly.usage_source, UsageSource::estimated);
    EXPECT_EQ(partly.tokens.out, 100);
    EXPECT_EQ(partly.cost.total, 60'000);
    EXPECT_EQ(partly.duration_us, kSecond);
    EXPECT_EQ(partly.admitted_us, kNoon) << "charged to the period of admission";

    const OpenOperation without{.admit = Kept<Admit>(start), .progress = {}};
    const Settle fully = settle_unknown(without, kNoon - kSecond);
    EXPECT_EQ(fully.usage_source, UsageSource::none);
    EXPECT_EQ(fully.tokens.in, std::nullopt);
    EXPECT_EQ(fully.cost.total, 9'000'000);
    EXPECT_EQ(fully.duration_us, 0) << "the clock went back";
}

TEST(LedgerRecover, truncated_at_each_of_the_last_200_octets_keeps_the_prefix_f48) {
    const auto frames = three_operations();
    const std::size_t end = end_of(frames, 6);
    const std::size_t settled = end_of(frames, 5);
    for (std::size_t k = 1; k <= 200; ++k) {
        const TemporaryDirectory place;
        const std::string file = make(place.path(), frames, k % 2 == 0);
        std::filesystem::resize_file(file, end - k);
        const Recovery recovery = recovered(place.path());
        ASSERT_EQ(recovery.open.size(), 1U) << k;
        EXPECT_EQ(recovery.open[0].admit.record().request_id, "req_3");
        EXPECT_EQ(recovery.records, 5U);
        ASSERT_EQ(recovery.cuts.size(), 1U);
        EXPECT_EQ(recovery.cuts[0].file, file);
        EXPECT_EQ(recovery.cuts[0].offset, settled);
        EXPECT_EQ(recovery.cuts[0].octets, end - settled);
        const Recovery again = recovered(place.path());
        EXPECT_TRUE(again.cuts.empty()) << "the cut is final";
        EXPECT_EQ(again.open.size(), 1U);
    }
}

TEST(LedgerRecover, truncated_between_two_records_is_noticed_too) {
    const auto frames = three_operations();
    const TemporaryDirectory place;
    const std::string file = make(place.path(), frames, true);
    std::filesystem::resize_file(file, end_of(frames, 5));
    const Recovery recovery = recovered(place.path());
    ASSERT_EQ(recovery.cuts.size(), 1U);
    EXPECT_EQ(recovery.cuts[0].octets, frames[5].size());
    EXPECT_EQ(recovery.open.size(), 1U);
}

TEST(LedgerRecover, each_bit_of_the_last_records_f48) {
    const auto frames = three_operations();
    const TemporaryDirectory original;
    const std::string intact = contents(make(original.path(), frames, true));
    const std::size_t fifth = end_of(frames, 4);
    const std::size_t sixth = end_of(frames, 5);
    const std::size_t end = end_of(frames, 6);
    const TemporaryDirectory place;
    const std::string file = place.path() + '/' + segment_name(kSequenceStep);
    for (std::size_t at = fifth; at < end; ++at) {
        const unsigned bit = at % 8; // one bit of every octet here; every bit of a frame in ledger_record_test
        std::string altered = intact;
        altered[at] = static_cast<char>(altered[at] ^ (1 << bit));
        overwrite(file, altered);
        const auto recovery = recover(place.path());
        if (at < sixth) {
            ASSERT_FALSE(recovery.has_value()) << at << ": a whole record follows";
            EXPECT_NE(recovery.error().find(file), std::string::npos) << recovery.error();
            EXPECT_NE(recovery.error().find("offset " + std::to_string(fifth)), std::string::npos) << recovery.error();
            EXPECT_EQ(contents(file), altered) << "nothing is changed";
        } else {
            ASSERT_TRUE(recovery.has_value()) << at << ": " << recovery.error();
            ASSERT_EQ(recovery->open.size(), 1U);
            EXPECT_EQ(recovery->open[0].admit.record().request_id, "req_3");
            ASSERT_EQ(recovery->cuts.size(), 1U);
            EXPECT_EQ(recovery->cuts[0].offset, sixth);
        }
    }
}

TEST(LedgerRecover, damage_in_a_segment_that_others_follow_is_refused_even_at_its_end) {
    const auto frames = three_operations();
    const TemporaryDirectory place;
    const std::string file = make(place.path(), frames, true);
    make(place.path(), {frame_of(an_admit("req_9"))}, true, 2 * kSequenceStep);
    std::string altered = contents(file);
    altered[end_of(frames, 6) - 20] ^= 1;
    overwrite(file, altered);
    const auto recovery = recover(place.path());
    ASSERT_FALSE(recovery.has_value());
    EXPECT_NE(recovery.error().find("offset " + std::to_string(end_of(frames, 5))), std::string::npos)
        << recovery.error();
}

// After a power cut pages written later may be on the disk and earlier ones not.
TEST(LedgerRecover, a_hole_in_what_was_not_synced_keeps_the_prefix) {
    const auto frames = three_operations();
    const TemporaryDirectory place;
    const std::string file = make(place.path(), frames, false);
    std::string altered = contents(file);
    const std::size_t hole = end_of(frames, 3);
    altered.replace(hole, 64, 64, '\0');
    overwrite(file, altered);
    const Recovery recovery = recovered(place.path());
    EXPECT_EQ(recovery.records, 3U);
    ASSERT_EQ(recovery.open.size(), 1U);
    EXPECT_EQ(recovery.open[0].admit.record().request_id, "req_2");
    ASSERT_EQ(recovery.cuts.size(), 1U);
    EXPECT_EQ(recovery.cuts[0].octets, end_of(frames, 6) - hole);
    EXPECT_EQ(recovered(place.path()).records, 3U) << "what lay behind the hole does not come back";
}

TEST(LedgerRecover, records_that_the_head_does_not_know_yet_count) {
    const auto frames = three_operations();
    const TemporaryDirectory place;
    const std::string file = make(place.path(), frames, false);
    std::string stale = contents(file);
    stale.replace(64, 8, std::string("\0\x10\0\0\0\0\0\0", 8)); // used = 4096
    overwrite(file, stale);
    const Recovery recovery = recovered(place.path());
    EXPECT_EQ(recovery.records, 6U);
    EXPECT_TRUE(recovery.cuts.empty());
    ASSERT_EQ(recovery.segments.size(), 1U);
    EXPECT_EQ(recovery.segments[0]->used(), end_of(frames, 6));
}

TEST(LedgerRecover, a_damaged_head_is_refused_with_its_file) {
    const TemporaryDirectory place;
    const std::string file = make(place.path(), three_operations(), true);
    for (const std::size_t at : {std::size_t{0}, std::size_t{9}, std::size_t{17}}) {
        std::string altered = contents(file);
        const std::string intact = altered;
        altered[at] ^= 4;
        overwrite(file, altered);
        const auto recovery = recover(place.path());
        ASSERT_FALSE(recovery.has_value()) << at;
        EXPECT_NE(recovery.error().find(file), std::string::npos) << recovery.error();
        overwrite(file, intact);
    }
    std::filesystem::resize_file(file, 100);
    EXPECT_FALSE(recover(place.path()).has_value());
    overwrite(file, "");
    EXPECT_FALSE(recover(place.path()).has_value());
}

TEST(LedgerRecover, absurd_counters_in_the_head_lose_nothing) {
    const auto frames = three_operations();
    const TemporaryDirectory place;
    const std::string file = make(place.path(), frames, true);
    const std::string intact = contents(file);
    for (const std::size_t at : {std::size_t{64}, std::size_t{128}, std::size_t{192}, std::size_t{200}}) {
        for (const std::string& value :
             {std::string(8, '\xFF'), std::string(8, '\0'), std::string("\x07\x20\0\0\0\0\0\0", 8)}) {
            std::string altered = intact;
            altered.replace(at, 8, value);
            overwrite(file, altered);
            const Recovery recovery = recovered(place.path());
            EXPECT_EQ(recovery.records, 6U) << at;
            ASSERT_EQ(recovery.segments.size(), 1U);
            EXPECT_EQ(recovery.segments[0]->used(), end_of(frames, 6));
            EXPECT_EQ(recovery.segments[0]->consumed(), kSegmentHead) << "nothing is skipped on a torn word";
        }
    }
}

TEST(LedgerRecover, half_made_and_empty_files_go) {
    const TemporaryDirectory place;
    overwrite(place.path() + "/segment-0000000000050000.log.new", "half");
    make(place.path(), {}, true, 3 * kSequenceStep);
    make(place.path(), {frame_of(an_admit("req_1"))}, true, 2 * kSequenceStep);
    const Recovery recovery = recovered(place.path());
    ASSERT_EQ(recovery.segments.size(), 1U);
    std::size_t files = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(place.path())) ++files;
    EXPECT_EQ(files, 1U);
}

TEST(LedgerRecover, a_log_goes_on_behind_what_was_found) {
    const TemporaryDirectory place;
    make(place.path(), three_operations(), true, 7 * kSequenceStep);
    LogOptions options;
    options.segment_size = kSmall;
    {
        const Recovery recovery = recovered(place.path());
        const auto log = SegmentLog::open(place.path(), options, recovery);
        ASSERT_TRUE(log.has_value());
        (*log)->start();
        ASSERT_TRUE((*log)->append(Purpose::admit, hash_of("req_4"), frame_of(an_admit("req_4"))).has_value());
    }
    const Recovery recovery = recovered(place.path());
    ASSERT_EQ(recovery.segments.size(), 2U);
    EXPECT_EQ(recovery.segments[1]->sequence(), 8 * kSequenceStep);
    ASSERT_EQ(recovery.open.size(), 1U);
    EXPECT_EQ(recovery.open[0].admit.record().request_id, "req_4");
}

} // namespace
} // namespace tollgate::policy::ledger
