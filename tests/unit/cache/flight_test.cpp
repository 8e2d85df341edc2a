// The core of shared calls: who leads, what followers read, how it ends (limits-cache §3.7).
#include "cache/flight.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <latch>
#include <thread>

namespace tollgate::cache {
namespace {

using namespace std::chrono_literals;
using Role = FlightDirectory::Role;

constexpr std::uint64_t kRoom = 64 * 1024;
constexpr TimePoint kNow{1h};

Key key(std::uint8_t first) {
    Key out{};
    out[0] = first;
    return out;
}

FlightPtr led(FlightDirectory& directory, const Key& of, std::uint64_t room = kRoom) {
    auto joined = directory.join(of, 0, room, kNow);
    EXPECT_EQ(joined.role, Role::lead);
    return joined.flight;
}

std::string text(const Flight::Reading& reading) {
    std::string out;
    for (const auto& segment : reading.segments) out += *segment;
    return out;
}

class Counting final : public FlightListener {
  public:
    void on_news() override { ++count; }
    std::atomic<int> count{0};
};

TEST(FlightDirectory, TheFirstLeadsTheOthersFollowTheSameFlight) {
    FlightDirectory directory;
    const auto flight = led(directory, key(1));
    for (int i = 0; i < 3; ++i) {
        const auto joined = directory.join(key(1), 0, kRoom, kNow);
        EXPECT_EQ(joined.role, Role::follow);
        EXPECT_EQ(joined.flight, flight);
    }
    EXPECT_EQ(flight->followers(), 3U);
    EXPECT_EQ(directory.join(key(2), 0, kRoom, kNow).role, Role::lead);
    EXPECT_EQ(directory.size(), 2U);
}

TEST(FlightDirectory, ARemovedFlightIsNotJoinedButKeepsItsFollowers) {
    FlightDirectory directory;
    const auto flight = led(directory, key(1));
    EXPECT_EQ(directory.join(key(1), 0, kRoom, kNow).role, Role::follow);
    EXPECT_FALSE(directory.remove_unfollowed(*flight));
    directory.remove(*flight);
    EXPECT_EQ(directory.size(), 0U);
    const auto next = led(directory, key(1));
    EXPECT_NE(next, flight);
    directory.remove(*flight); // of an older flight: the new one stays
    EXPECT_EQ(directory.size(), 1U);
    EXPECT_TRUE(directory.remove_unfollowed(*next));
    EXPECT_EQ(directory.size(), 0U);
}

TEST(FlightDirectory, WhatCannotBeKeptIsNotSharedForAWhile) { // scenario 86
    FlightDirectory directory;
    directory.part(key(1), kNow + 30s, kNow);
    EXPECT_EQ(directory.join(key(1), 0, kRoom, kNow).role, Role::alone);
    EXPECT_EQ(directory.join(key(1), 0, kRoom, kNow + 29s).role, Role::alone);
    const auto repeated = directory.join(key(1), 0, kRoom, kNow, true);
    EXPECT_EQ(repeated.role, Role::lead);
    directory.remove(*repeated.flight);
    EXPECT_EQ(directory.join(key(1), 0, kRoom, kNow + 30s).role, Role::lead);
}

TEST(FlightDirectory, ManyMarksStayBounded) {
    FlightDirectory directory;
    Key one{};
    for (std::uint32_t i = 0; i < 5'000; ++i) { // all of one shard
        one[0] = static_cast<std::uint8_t>(i);
        one[1] = static_cast<std::uint8_t>(i >> 8);
        directory.part(one, kNow + 30s, kNow);
    }
    std::size_t alone = 0;
    for (std::uint32_t i = 0; i < 5'000; ++i) {
        one[0] = static_cast<std::uint8_t>(i);
        one[1] = static_cast<std::uint8_t>(i >> 8);
        if (directory.join(one, 0, kRoom, kNow).role == Role::alone) ++alone;
    }
    EXPECT_EQ(alone, 1'024U);
}

TEST(Flight, AFollowerReadsFromTheFirstOctetAndThenWhatIsNew) {
    FlightDirectory directory;
    const auto flight = led(directory, key(1));
    flight->begin({.status = 200,
                   .content_type = "text/event-stream",
                   .fields = {},
                   .length = {},
                   .upstream = "u",
                   .upstream_request_id = {}});
    EXPECT_TRUE(flight->append("one", false));
    Flight::Reading reading;
    flight->read(reading);
    EXPECT_EQ(text(reading), "one");
    ASSERT_TRUE(reading.head);
    EXPECT_EQ(reading.head->content_type, "text/event-stream");
    EXPECT_TRUE(flight->append("two", false));
    flight->read(reading);
    EXPECT_EQ(text(reading), "onetwo");
    EXPECT_EQ(reading.end, FlightEnd::running);
    EXPECT_TRUE(flight->append("end", true));
    EXPECT_FALSE(flight->append("late", false));
    flight->read(reading);
    EXPECT_EQ(text(reading), "onetwoend");
    EXPECT_EQ(reading.end, FlightEnd::complete);
}

TEST(Flight, TheLogIsBoundedAndSaysWhatIsGone) { // scenario 82
    FlightDirectory directory;
    const auto flight = led(directory, key(1), 1'000);
    Flight::Reading early;
    const std::string piece(100, 'x');
    bool open = true;
    for (int i = 0; i < 100; ++i) {
        open = flight->append(piece, false);
        if (i == 0) flight->read(early);
        Flight::Reading all;
        flight->read(all);
        EXPECT_LE(text(all).size(), 1'000U);
        EXPECT_EQ(all.next(), static_cast<std::uint64_t>(i) + 1);
    }
    EXPECT_FALSE(open);
    EXPECT_EQ(early.first, 0U);
    flight->read(early);
    EXPECT_GT(early.first, 0U); // its reader's place is gone
    EXPECT_EQ(early.next(), 100U);
}

TEST(Flight, SingleOctetsAreBoundedByWhatTheyCost) {
    FlightDirectory directory;
    const auto flight = led(directory, key(1), 10'000);
    bool open = true;
    int count = 0;
    for (; open && count < 10'000; ++count) open = flight->append("x", false);
    EXPECT_LT(count, 110);
}

TEST(Flight, TheFirstEndCounts) {
    FlightDirectory directory;
    const auto flight = led(directory, key(1));
    flight->fail(Error{.type = ErrorType::provider_timeout, .status = 504, .message = "late"});
    flight->abandon(1);
    Flight::Reading reading;
    flight->read(reading);
    EXPECT_EQ(reading.end, FlightEnd::failed);
    ASSERT_TRUE(reading.error);
    EXPECT_EQ(reading.error->message, "late");
}

TEST(Flight, AnAbandonedOneTellsHowManyLeadersFailed) { // scenario 84
    FlightDirectory directory;
    const auto flight = led(directory, key(1));
    directory.remove(*flight);
    flight->abandon(1);
    Flight::Reading reading;
    flight->read(reading);
    EXPECT_EQ(reading.end, FlightEnd::abandoned);
    const auto next = directory.join(key(1), reading.next_election, kRoom, kNow);
    EXPECT_EQ(next.role, Role::lead);
    EXPECT_EQ(next.flight->election(), 1U);
}

TEST(Flight, WhoHearsLateOfAFailureBeginsNoOtherRowOfCalls) { // scenario 84
    FlightDirectory directory;
    directory.note_election(key(1), 2, std::nullopt, kNow);
    const auto second = directory.join(key(1), 1, kRoom, kNow);
    ASSERT_EQ(second.role, Role::lead);
    EXPECT_EQ(second.flight->election(), 2U) << "not one more than all have agreed on";
    EXPECT_EQ(directory.join(key(1), 1, kRoom, kNow).role, Role::follow);
    directory.note_election(key(1), 3, Error{.type = ErrorType::provider_server_error, .status = 502}, kNow);
    EXPECT_EQ(directory.join(key(1), 1, kRoom, kNow).role, Role::follow) << "one that runs comes first";
    directory.remove(*second.flight);
    const auto late = directory.join(key(1), 1, kRoom, kNow + 9s);
    EXPECT_EQ(late.role, Role::failed);
    ASSERT_TRUE(late.error);
    EXPECT_EQ(late.error->status, 502);
    EXPECT_EQ(directory.join(key(1), 1, kRoom, kNow + 10s).role, Role::lead);
    EXPECT_EQ(directory.join(key(2), 1, kRoom, kNow).role, Role::lead) << "of another question";
}

TEST(Flight, ARequestThatIsNewBeginsAnew) { // scenario 84: nothing is remembered
    FlightDirectory directory;
    directory.note_election(key(1), 3, Error{.type = ErrorType::provider_server_error, .status = 502}, kNow);
    const auto fresh = directory.join(key(1), 0, kRoom, kNow);
    EXPECT_EQ(fresh.role, Role::lead);
    EXPECT_EQ(fresh.flight->election(), 0U);
}

TEST(Flight, ListenersAreToldOfEveryChangeUntilTheyGo) {
    FlightDirectory directory;
    const auto flight = led(directory, key(1));
    const auto listener = std::make_shared<Counting>();
    flight->attach(listener);
    flight->append("a", false);
    flight->append("b", true);
    EXPECT_EQ(listener->count, 2);
    flight->detach(*listener);
    EXPECT_EQ(listener.use_count(), 1);
}

TEST(Flight, TheLeaderHearsOfTheFirstFollowerAndOfTheLastThatLeaves) { // scenarios 80, 81
    FlightDirectory directory;
    const auto flight = led(directory, key(1));
    int heard = 0;
    flight->on_wanted([&heard] { ++heard; });
    (void)directory.join(key(1), 0, kRoom, kNow);
    EXPECT_EQ(heard, 1);
    (void)directory.join(key(1), 0, kRoom, kNow);
    flight->leave();
    EXPECT_EQ(heard, 1);
    flight->leave();
    EXPECT_EQ(heard, 2);
    flight->on_wanted({});
    (void)directory.join(key(1), 0, kRoom, kNow);
    EXPECT_EQ(heard, 2);
}

TEST(FlightThreads, ManyJoinOnceAndAllReadTheSame) { // scenario 77
    constexpr int kThreads = 4, kRounds = 40, kPieces = 50;
    FlightDirectory directory;
    for (int round = 0; round < kRounds; ++round) {
        std::atomic<int> leaders{0};
        std::latch ready(kThreads);
        std::array<std::string, kThreads> seen;
        const auto work = [&](int which) {
            ready.arrive_and_wait();
            const auto joined = directory.join(key(7), 0, kRoom, kNow);
            if (joined.role == Role::lead) {
                ++leaders;
                std::string& mine = seen[static_cast<std::size_t>(which)];
                // Everybody is to meet this flight, however late.
                while (joined.flight->followers() < kThreads - 1) std::this_thread::yield();
                for (int i = 0; i < kPieces; ++i) {
                    const std::string piece = std::to_string(i) + ",";
                    mine += piece;
                    if (i + 1 == kPieces) directory.remove(*joined.flight);
                    joined.flight->append(piece, i + 1 == kPieces);
                }
                return;
            }
            const auto listener = std::make_shared<Counting>();
            joined.flight->attach(listener);
            Flight::Reading reading;
            do joined.flight->read(reading);
            while (reading.end == FlightEnd::running);
            seen[static_cast<std::size_t>(which)] = text(reading);
            joined.flight->detach(*listener);
            joined.flight->leave();
        };
        std::vector<std::jthread> threads;
        for (int i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
        threads.clear();
        EXPECT_EQ(leaders, 1);
        EXPECT_TRUE(std::ranges::all_of(seen, [&](const auto& one) { return one == seen[0] && !one.empty(); }));
        EXPECT_EQ(directory.size(), 0U);
    }
}

} // namespace
} // namespace tollgate::cache
