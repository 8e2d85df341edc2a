#include "policy/ledger/segment_log.hpp"

#include "tests/unit/policy/ledger_records.hpp"
#include "tests/unit/policy/temporary_directory.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <vector>

namespace tollgate::policy::ledger {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSmall = 64U << 10U;

LogOptions small(std::size_t segments = 64) {
    LogOptions options;
    options.segment_size = kSmall;
    options.max_segments = segments;
    options.sync_interval = 1ms;
    options.retry_interval = 20ms;
    return options;
}

std::unique_ptr<SegmentLog> opened(const std::string& path, LogOptions options = small()) {
    auto recovery = recover(path);
    if (!recovery) throw std::runtime_error(recovery.error());
    auto log = SegmentLog::open(path, std::move(options), *recovery);
    if (!log) throw std::runtime_error(log.error());
    (*log)->start();
    return std::move(*log);
}

template <class Condition>
bool eventually(Condition condition) {
    for (int i = 0; i < 5'000; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(1ms);
    }
    return false;
}

bool admit(SegmentLog& log, const std::string& id) {
    return log.append(Purpose::admit, hash_of(id), frame_of(an_admit(id))).has_value();
}
bool settle(SegmentLog& log, const std::string& id) {
    return log.append(Purpose::settle, hash_of(id), frame_of(a_settle(id))).has_value();
}

std::string numbered(std::size_t i) {
    return "req_" + std::to_string(i);
}

// A settle as long as one can be: what the reserve is made for.
std::string longest_settle(std::string_view id) {
    static const std::string name(kMaxName, 'n');
    Settle settle = a_settle(id);
    for (auto* text : {&settle.outcome, &settle.error_type, &settle.cache, &settle.client, &settle.config_hash,
                       &settle.price_source, &settle.provider, &settle.trace_id, &settle.upstream_model,
                       &settle.response_model, &settle.upstream_request_id, &settle.client_request_id}) {
        *text = name;
    }
    settle.attempts.count = kMaxAttempts;
    for (Attempt& attempt : settle.attempts.each) attempt.upstream = attempt.error_type = name;
    return frame_of(settle);
}

// Every record in the log's files, in order.
std::map<std::string, std::array<int, 2>> found_in(const std::string& path) {
    std::map<std::string, std::array<int, 2>> found;
    const auto segments = open_segments(path);
    if (!segments) throw std::runtime_error(segments.error());
    for (const auto& segment : *segments) {
        const Examination all = examine(*segment, [&](std::string_view frame, std::size_t) {
            const auto record = decode(frame);
            if (std::holds_alternative<Admit>(*record)) ++found[std::string(id_of(*record))][0];
            if (std::holds_alternative<Settle>(*record)) ++found[std::string(id_of(*record))][1];
        });
        EXPECT_EQ(all.lost, 0U) << segment->file();
    }
    return found;
}

TEST(LedgerLog, appended_records_are_read_in_order_across_segments) {
    const TemporaryDirectory place;
    const auto log = opened(place.path());
    constexpr std::size_t kRecords = 2'000;
    SegmentLog::Cursor cursor = log->begin();
    std::size_t read = 0;
    std::set<std::string> files;
    const auto drain = [&] {
        do {
            files.insert(cursor.segment->file());
            while (cursor.offset < cursor.segment->used()) {
                const auto frame = first_frame(cursor.segment->octets(cursor.offset, cursor.segment->used()));
                ASSERT_EQ(frame.state, FrameState::valid);
                EXPECT_EQ(id_of(*decode(frame.octets)), numbered(read / 2));
                EXPECT_EQ(std::holds_alternative<Admit>(*decode(frame.octets)), read % 2 == 0);
                ++read;
                cursor.offset += frame.octets.size();
            }
        } while (log->advance(cursor));
    };
    for (std::size_t i = 0; i < kRecords; ++i) {
        // Faster than the thread makes files: then an admit may be refused, which is not the point here.
        ASSERT_TRUE(eventually([&] { return admit(*log, numbered(i)); }));
        ASSERT_TRUE(settle(*log, numbered(i)));
        if (i % 50 == 0) drain();
    }
    drain();
    EXPECT_EQ(read, 2 * kRecords);
    EXPECT_GT(files.size(), 5U);
}

TEST(LedgerLog, becomes_durable_by_itself_and_says_so) {
    const TemporaryDirectory place;
    std::atomic<int> synced = 0;
    LogOptions options = small();
    options.on_synced = [&] { ++synced; };
    const auto log = opened(place.path(), options);
    ASSERT_TRUE(admit(*log, "req_1"));
    EXPECT_TRUE(eventually([&] { return log->stats().unsynced == 0; }));
    EXPECT_TRUE(eventually([&] { return synced > 0; }));
    ASSERT_TRUE(settle(*log, "req_1")) << "and again after it went to sleep";
    EXPECT_TRUE(eventually([&] { return log->stats().unsynced == 0; }));
    ASSERT_TRUE(admit(*log, "req_2"));
    EXPECT_TRUE(log->sync().has_value());
    EXPECT_EQ(log->stats().unsynced, 0U);
}

TEST(LedgerLog, full_ledger_refuses_admits_with_503_and_keeps_room_for_every_settle_f43) {
    const TemporaryDirectory place;
    const auto log = opened(place.path(), small(3));
    std::vector<std::string> open;
    std::optional<Error> refusal;
    for (std::size_t i = 0; i < 10'000 && !refusal; ++i) {
        const std::string id = numbered(i);
        const std::string frame = frame_of(an_admit(id));
        ASSERT_TRUE(eventually([&] { // the third file may still be on its way
            const auto done = log->append(Purpose::admit, hash_of(id), frame);
            if (!done) refusal = done.error();
            if (done) refusal.reset();
            return done.has_value() || log->stats().segments == 3;
        }));
        if (!refusal) open.push_back(id);
    }
    ASSERT_TRUE(refusal.has_value());
    EXPECT_EQ(refusal->status, 503);
    EXPECT_EQ(refusal->code, "ledger_unavailable");
    EXPECT_EQ(refusal->retry, Retry::after);
    EXPECT_GT(open.size(), 30U);
    EXPECT_GE(log->stats().settle_slots, open.size());
    EXPECT_FALSE(log->append(Purpose::other, 0, frame_of(a_progress(open[0], kNoon, 1))).has_value() &&
                 log->append(Purpose::other, 0, longest_settle("x")).has_value())
        << "what is not a settle may not take the reserve";
    for (const std::string& id : open) {
        ASSERT_TRUE(log->append(Purpose::settle, hash_of(id), longest_settle(id)).has_value()) << id;
    }
    EXPECT_EQ(log->stats().open, 0U);
    EXPECT_TRUE(eventually([&] { return log->stats().fault.find("do not reach SQLite") != std::string::npos; }))
        << log->stats().fault;
    log->stop();
    for (const auto& [id, counts] : found_in(place.path())) EXPECT_EQ(counts, (std::array{1, 1})) << id;
}

// Model check of the reserve: whatever is admitted can be settled at its largest, at any time, with no file to come.
TEST(LedgerLog, random_histories_never_lose_the_room_of_a_settle) {
    std::mt19937_64 random(3);
    for (int round = 0; round < 20; ++round) {
        const TemporaryDirectory place;
        auto recovery = recover(place.path());
        LogOptions options = small(1 + random() % 4);
        options.segment_size = kMinSegment + 8 * (random() % 2'000);
        auto log = SegmentLog::open(place.path(), options, *recovery);
        ASSERT_TRUE(log.has_value());
        if (round % 2 == 0) (*log)->start();
        std::vector<std::string> open;
        for (std::size_t step = 0; step < 3'000; ++step) {
            const auto choice = random() % 10;
            if (choice < 6) {
                const std::string id = numbered(step);
                if (admit(**log, id)) open.push_back(id);
            } else if (choice < 8 && !open.empty()) {
                const std::size_t at = random() % open.size();
                const std::string frame = random() % 2 == 0 ? longest_settle(open[at]) : frame_of(a_settle(open[at]));
                ASSERT_TRUE((*log)->append(Purpose::settle, hash_of(open[at]), frame).has_value());
                open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
            } else if (!open.empty()) {
                static_cast<void>((*log)->append(Purpose::other, 0, frame_of(a_progress(open[0], kNoon, 1))));
            }
            ASSERT_GE((*log)->stats().settle_slots, open.size());
            ASSERT_EQ((*log)->stats().open, open.size());
        }
        for (const std::string& id : open) {
            ASSERT_TRUE((*log)->append(Purpose::settle, hash_of(id), longest_settle(id)).has_value());
        }
    }
}

TEST(LedgerLog, file_size_limit_refuses_admits_and_loses_no_settle_f43) {
    const TemporaryDirectory place;
    const auto before = ::signal(SIGXFSZ, SIG_IGN);
    const auto log = opened(place.path());
    ASSERT_TRUE(eventually([&] { return log->stats().segments == 2; }));
    rlimit old{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
    const rlimit tight{.rlim_cur = kSmall / 2, .rlim_max = old.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
    std::size_t admitted = 0;
    while (admitted < 10'000 && admit(*log, numbered(admitted))) ++admitted;
    EXPECT_LT(admitted, 10'000U);
    EXPECT_GT(admitted, 10U);
    EXPECT_TRUE(eventually([&] { return log->stats().fault.find("allocate") != std::string::npos; }))
        << log->stats().fault;
    for (std::size_t i = 0; i < admitted / 2; ++i) {
        EXPECT_TRUE(log->append(Purpose::settle, hash_of(numbered(i)), longest_settle(numbered(i))).has_value());
    }
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
    // With room again it goes on by itself.
    EXPECT_TRUE(eventually([&] { return admit(*log, "req_later"); }));
    EXPECT_TRUE(eventually([&] { return log->stats().fault.empty(); })) << log->stats().fault;
    for (std::size_t i = admitted / 2; i < admitted; ++i) EXPECT_TRUE(settle(*log, numbered(i)));
    EXPECT_TRUE(settle(*log, "req_later"));
    log->stop();
    EXPECT_EQ(found_in(place.path()).size(), admitted + 1);
    for (const auto& [id, counts] : found_in(place.path())) EXPECT_EQ(counts, (std::array{1, 1})) << id;
    ::signal(SIGXFSZ, before);
}

TEST(LedgerLog, failed_sync_stops_admits_moves_to_a_new_file_and_is_never_repeated_f44) {
    const TemporaryDirectory place;
    std::mutex mutex;
    std::map<int, int> failures; // by descriptor
    std::atomic<bool> broken = false;
    LogOptions options = small();
    options.sync = [&](int fd) {
        const std::lock_guard lock(mutex);
        if (failures[fd] > 0) ++failures[fd]; // asked again: that would prove nothing
        if (broken) failures[fd] = std::max(1, failures[fd]);
        return broken ? EIO : 0;
    };
    const auto log = opened(place.path(), options);
    ASSERT_TRUE(admit(*log, "req_durable"));
    ASSERT_TRUE(log->sync().has_value());
    broken = true;
    ASSERT_TRUE(admit(*log, "req_before"));
    EXPECT_TRUE(eventually([&] { return !admit(*log, "req_x" + std::to_string(log->stats().unsynced)); }));
    EXPECT_NE(log->stats().fault.find("Input/output error"), std::string::npos) << log->stats().fault;
    EXPECT_TRUE(settle(*log, "req_before")) << "settles go on";
    EXPECT_FALSE(log->sync().has_value());
    broken = false;
    EXPECT_TRUE(eventually([&] { return admit(*log, "req_after"); }));
    EXPECT_TRUE(log->sync().has_value());
    EXPECT_EQ(log->stats().unsynced, 0U);
    EXPECT_EQ(log->stats().fault, "");

    // One reader sees every record exactly once although some lie in two files.
    std::map<std::string, int> seen;
    SegmentLog::Cursor cursor = log->begin();
    do {
        while (cursor.offset < cursor.segment->used()) {
            const auto frame = first_frame(cursor.segment->octets(cursor.offset, cursor.segment->used()));
            ASSERT_EQ(frame.state, FrameState::valid);
            const auto record = decode(frame.octets);
            ++seen[std::string(id_of(*record)) + (std::holds_alternative<Settle>(*record) ? " settle" : " admit")];
            cursor.offset += frame.octets.size();
        }
    } while (log->advance(cursor));
    for (const auto& [what, count] : seen) EXPECT_EQ(count, 1) << what;
    EXPECT_EQ(seen.count("req_before settle"), 1U);
    EXPECT_EQ(seen.count("req_after admit"), 1U);
    log->stop();
    const std::lock_guard lock(mutex);
    for (const auto& [fd, count] : failures) EXPECT_LE(count, 1) << "descriptor " << fd;
    // And the disk without what the failed file may have lost is enough: the new file has it.
    const auto recovery = recover(place.path());
    ASSERT_TRUE(recovery.has_value()) << recovery.error();
}

TEST(LedgerLog, many_threads_share_one_log) {
    const TemporaryDirectory place;
    LogOptions options = small();
    options.segment_size = 1U << 20U;
    const auto log = opened(place.path(), options);
    constexpr std::size_t kThreads = 4;
    constexpr std::size_t kEach = 3'000;
    std::atomic<std::size_t> done = 0;
    {
        std::vector<std::jthread> threads;
        for (std::size_t t = 0; t < kThreads; ++t) {
            threads.emplace_back([&, t] {
                for (std::size_t i = 0; i < kEach; ++i) {
                    const std::string id = std::to_string(t) + '_' + std::to_string(i);
                    if (eventually([&] { return admit(*log, id); }) && settle(*log, id)) ++done;
                }
            });
        }
    }
    EXPECT_EQ(done, kThreads * kEach);
    EXPECT_EQ(log->stats().open, 0U);
    log->stop();
    const auto found = found_in(place.path());
    EXPECT_EQ(found.size(), kThreads * kEach);
    for (const auto& [id, counts] : found) EXPECT_EQ(counts, (std::array{1, 1})) << id;
}

TEST(LedgerLog, appending_costs) {
    const TemporaryDirectory place;
    LogOptions options;
    const auto log = opened(place.path(), options);
    constexpr std::size_t kPairs = 40'000;
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < kPairs; ++i) ids.push_back("req_01JB2ABCDEFGHJKMNPQRS" + std::to_string(10'000 + i));
    FrameBuffer buffer;
    std::size_t octets = 0;
    std::vector<double> costs;
    const auto all = std::chrono::steady_clock::now();
    for (const std::string& id : ids) {
        const auto start = std::chrono::steady_clock::now();
        const std::string_view first = encode(an_admit(id), buffer);
        octets += first.size();
        ASSERT_TRUE(log->append(Purpose::admit, hash_of(id), first).has_value());
        const std::string_view second = encode(a_settle(id), buffer);
        octets += second.size();
        ASSERT_TRUE(log->append(Purpose::settle, hash_of(id), second).has_value());
        const std::chrono::duration<double, std::nano> cost = std::chrono::steady_clock::now() - start;
        costs.push_back(cost.count() / 2);
    }
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - all;
    std::ranges::sort(costs);
    const double mean = took.count() / static_cast<double>(2 * kPairs);
    std::printf(
        "append with encoding: mean %.0f ns, p50 %.0f ns, p99 %.0f ns, largest %.0f ns, %zu octets on average\n", mean,
        costs[kPairs / 2], costs[kPairs * 99 / 100], costs.back(), octets / (2 * kPairs));
    EXPECT_LT(costs[kPairs / 2], 30'000.0); // a hundred times the target: this is no bench
}

TEST(LedgerSegment, a_directory_without_space_is_an_error_that_names_the_file) {
    const auto none = Segment::create("/nowhere/at/all", kSequenceStep, kSmall);
    ASSERT_FALSE(none.has_value());
    EXPECT_NE(none.error().find("/nowhere/at/all/segment-"), std::string::npos) << none.error();
}

} // namespace
} // namespace tollgate::policy::ledger
