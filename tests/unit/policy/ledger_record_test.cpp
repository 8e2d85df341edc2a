#include "policy/ledger/record.hpp"

#include "policy/ledger/crc32c.hpp"
#include "tests/unit/policy/ledger_records.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

namespace tollgate::policy::ledger {
namespace {

template <class R>
R decoded(const std::string& frame) {
    const std::optional<Record> record = decode(frame);
    if (!record || !std::holds_alternative<R>(*record)) {
        ADD_FAILURE() << "no such record in " << frame.size() << " octets";
        return {};
    }
    return std::get<R>(*record);
}

// Equal as far as their octets go: every field of both is in there.
template <class R>
void expect_same(const R& record) {
    const std::string frame = frame_of(record);
    ASSERT_FALSE(frame.empty());
    EXPECT_EQ(frame.size() % kFrameAlignment, 0U);
    EXPECT_EQ(frame_of(decoded<R>(frame)), frame);
}

std::string random_octets(std::mt19937_64& random, std::size_t size) {
    std::string octets(size, '\0');
    for (char& c : octets) c = static_cast<char>(random());
    return octets;
}

TEST(LedgerCrc32c, vectors_of_rfc_3720_appendix_b_4) {
    std::string ascending(32, '\0');
    std::string descending(32, '\0');
    for (std::size_t i = 0; i < 32; ++i) ascending[i] = static_cast<char>(i);
    for (std::size_t i = 0; i < 32; ++i) descending[i] = static_cast<char>(31 - i);
    // An iSCSI Read (10) command.
    std::string read(48, '\0');
    read[0] = '\x01';
    read[1] = '\xC0';
    read[16] = '\x14';
    read[22] = '\x04';
    read[27] = '\x14';
    read[31] = '\x18';
    read[32] = '\x28';
    read[40] = '\x02';
    for (const auto check : {crc32c, crc32c_portable}) {
        EXPECT_EQ(check(std::string(32, '\0')), 0x8A9136AAU);
        EXPECT_EQ(check(std::string(32, '\xFF')), 0x62A8AB43U);
        EXPECT_EQ(check(ascending), 0x46DD794EU);
        EXPECT_EQ(check(descending), 0x113FDB5CU);
        EXPECT_EQ(check(read), 0xD9963A56U);
        EXPECT_EQ(check("123456789"), 0xE3069283U);
        EXPECT_EQ(check(""), 0U);
    }
}

TEST(LedgerCrc32c, instruction_and_table_agree) {
    std::mt19937_64 random(1);
    for (std::size_t size = 0; size < 300; ++size) {
        const std::string octets = random_octets(random, size);
        EXPECT_EQ(crc32c(octets), crc32c_portable(octets)) << size;
    }
}

TEST(LedgerRecord, round_trip_of_every_kind) {
    expect_same(an_admit("req_1"));
    expect_same(a_progress("req_1", kNoon + 5, 77));
    expect_same(a_settle("req_1"));
    expect_same(an_adjust("adj_1", -5));
    expect_same(a_served("req_1", 42));
}

TEST(LedgerRecord, fields_arrive) {
    const std::string frame = frame_of(an_admit("req_1"));
    const Admit admit = decoded<Admit>(frame);
    EXPECT_EQ(admit.request_id, "req_1");
    EXPECT_EQ(admit.at_us, kNoon);
    EXPECT_EQ(admit.reserved_nano, 9'000'000);
    EXPECT_EQ(admit.team, "search");
    EXPECT_EQ(admit.model, "gpt-4o-mini");
    ASSERT_EQ(admit.periods.count, 2U);
    EXPECT_EQ(admit.periods.ids[1], "team:search:Europe/Berlin:month:2026-10");

    const std::string end = frame_of(a_settle("req_1"));
    const Settle settle = decoded<Settle>(end);
    EXPECT_TRUE(settle.stream);
    EXPECT_EQ(settle.usage_source, UsageSource::upstream);
    EXPECT_EQ(settle.cost.total, 2'310'000);
    EXPECT_EQ(settle.attempts.each[0].status, 429);
    EXPECT_EQ(settle.attempts.each[0].error_type, "provider_rate_limited");
    EXPECT_EQ(settle.attempts.each[1].cost_nano, 2'310'000);
}

TEST(LedgerRecord, unknown_is_not_zero) {
    Settle settle;
    settle.request_id = "req_1";
    settle.tokens.in = 0;
    settle.cost.other = 0;
    const std::string frame = frame_of(settle);
    const Settle back = decoded<Settle>(frame);
    EXPECT_EQ(back.tokens.in, 0);
    EXPECT_EQ(back.tokens.out, std::nullopt);
    EXPECT_EQ(back.cost.total, std::nullopt);
    EXPECT_EQ(back.cost.other, 0);
    EXPECT_EQ(back.ttft_us, std::nullopt);
}

TEST(LedgerRecord, extreme_numbers_survive) {
    Settle settle = a_settle("req_1");
    settle.cost.total = INT64_MAX;
    settle.cost.in = INT64_MIN;
    settle.http_status = 65'535;
    const std::string frame = frame_of(settle);
    EXPECT_EQ(decoded<Settle>(frame).cost.total, INT64_MAX);
    EXPECT_EQ(decoded<Settle>(frame).cost.in, INT64_MIN);
    EXPECT_EQ(decoded<Settle>(frame).http_status, 65'535);
}

TEST(LedgerRecord, longest_records_stay_below_the_bound_a_settle_reserves) {
    const std::string name(1'000, 'n');
    const std::string id(kMaxWord, 'i');
    Settle settle;
    settle.request_id = id;
    for (auto* text : {&settle.outcome, &settle.error_type, &settle.cache, &settle.client, &settle.config_hash,
                       &settle.price_source, &settle.provider, &settle.trace_id, &settle.upstream_model,
                       &settle.response_model, &settle.upstream_request_id, &settle.client_request_id}) {
        *text = name;
    }
    auto& t = settle.tokens;
    auto& c = settle.cost;
    for (auto* number : {&t.in, &t.out, &t.cache_read, &t.cache_write, &t.reasoning, &t.audio_in, &t.audio_out,
                         &t.images, &c.total, &c.in, &c.out, &c.cache, &c.other, &settle.saved_nano, &settle.ttft_us,
                         &settle.overhead_us, &settle.queue_us}) {
        *number = 1;
    }
    settle.attempts.count = 9; // more than fit: the first four stay
    for (Attempt& attempt : settle.attempts.each) {
        attempt = {.upstream = name,
                   .error_type = name,
                   .start_us = 0,
                   .duration_us = 0,
                   .ttft_us = 1,
                   .status = 1,
                   .in_tokens = 1,
                   .out_tokens = 1,
                   .cost_nano = 1};
    }
    const std::string frame = frame_of(settle);
    ASSERT_FALSE(frame.empty());
    EXPECT_LE(frame.size(), kMaxSettleFrame);
    EXPECT_GT(frame.size() + 64, kMaxSettleFrame) << "the bound is wasteful";
    const Settle back = decoded<Settle>(frame);
    EXPECT_EQ(back.attempts.count, kMaxAttempts);
    EXPECT_EQ(back.upstream_model.size(), kMaxName);
    EXPECT_EQ(back.outcome.size(), kMaxWord);
    EXPECT_EQ(back.queue_us, 1);

    Admit admit = an_admit(id);
    for (auto* text :
         {&admit.org, &admit.team, &admit.key, &admit.provider, &admit.operation, &admit.price_version, &admit.model}) {
        *text = name;
    }
    admit.periods.ids.fill(name);
    admit.periods.count = 100;
    const std::string start = frame_of(admit);
    ASSERT_FALSE(start.empty());
    EXPECT_LE(start.size(), kMaxFrame);
    EXPECT_EQ(decoded<Admit>(start).periods.count, kMaxPeriods);
}

TEST(LedgerRecord, ids_are_never_clipped) {
    EXPECT_TRUE(frame_of(an_admit("")).empty());
    EXPECT_TRUE(frame_of(an_admit(std::string(kMaxWord + 1, 'x'))).empty());
    EXPECT_TRUE(frame_of(a_settle("")).empty());
    EXPECT_TRUE(frame_of(an_adjust("", 1)).empty());
}

TEST(LedgerRecord, clipping_stops_before_a_character) {
    EXPECT_EQ(clip("abc", 3), "abc");
    EXPECT_EQ(clip("abcd", 3), "abc");
    EXPECT_EQ(clip("ab\xC3\xA9", 3), "ab");
    EXPECT_EQ(clip("a\xF0\x9F\x98\x80", 4), "a");
    EXPECT_EQ(clip(std::string(9, '\x80'), 8).size(), 4U) << "not UTF-8: bounded, not sought to the start";
}

TEST(LedgerRecord, every_flipped_bit_and_every_truncation_is_noticed_f48) {
    for (const std::string& frame : {frame_of(an_admit("req_1")), frame_of(a_progress("req_1", 1, 2)),
                                     frame_of(a_settle("req_1")), frame_of(an_adjust("adj_1", 1))}) {
        for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
            std::string altered = frame;
            altered[bit / 8] = static_cast<char>(altered[bit / 8] ^ (1 << (bit % 8)));
            EXPECT_EQ(first_frame(altered + std::string(512, '\0')).state, FrameState::bad) << bit;
            EXPECT_FALSE(decode(altered)) << bit;
        }
        for (std::size_t size = 0; size < frame.size(); ++size) EXPECT_FALSE(decode(frame.substr(0, size))) << size;
    }
    EXPECT_EQ(first_frame(std::string(64, '\0')).state, FrameState::absent);
    EXPECT_EQ(first_frame("").state, FrameState::bad);
}

// A frame whose CRC is right and whose fields are anything: the decoder stands alone.
TEST(LedgerRecord, random_fields_behind_a_right_check_never_crash) {
    std::mt19937_64 random(7);
    std::size_t accepted = 0;
    for (int round = 0; round < 200'000; ++round) {
        std::string frame = round % 2 == 0 ? frame_of(a_settle("req_1")) : frame_of(an_admit("req_1"));
        if (round % 3 == 0) frame = std::string(8, '\0') + random_octets(random, 8 * (1 + random() % 60));
        for (int i = 0; i < 1 + round % 4; ++i) frame[8 + random() % (frame.size() - 8)] = static_cast<char>(random());
        frame[8] = 1;
        frame[9] = static_cast<char>(1 + random() % 4);
        const auto size = static_cast<std::uint32_t>(frame.size() - 8);
        std::memcpy(frame.data() + 4, &size, sizeof size);
        const std::uint32_t check = crc32c(std::string_view(frame).substr(4));
        std::memcpy(frame.data(), &check, sizeof check);
        ASSERT_EQ(first_frame(frame).state, FrameState::valid);
        if (const std::optional<Record> record = decode(frame)) {
            ++accepted;
            EXPECT_FALSE(id_of(*record).empty());
            const std::string again = std::visit([](const auto& r) { return frame_of(r); }, *record);
            EXPECT_TRUE(decode(again).has_value());
        }
    }
    EXPECT_GT(accepted, 1'000U);
}

TEST(LedgerRecord, random_octets_are_no_frame) {
    std::mt19937_64 random(11);
    for (int round = 0; round < 100'000; ++round) {
        const std::string octets = random_octets(random, random() % 400);
        EXPECT_NE(first_frame(octets).state, FrameState::valid);
        EXPECT_FALSE(decode(octets));
    }
}

} // namespace
} // namespace tollgate::policy::ledger
