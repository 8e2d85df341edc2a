#include "policy/period/period.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <random>
#include <set>

namespace tollgate::policy {
namespace {

using namespace std::chrono_literals;
using std::chrono::sys_days;

constexpr const char* kZones[] = {
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Lisbon",
    "Europe/Dublin",
    "America/New_York",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Havana",
    "America/Scoresbysund",
    "America/Caracas",
    "America/Asuncion",
    "America/Santiago",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Asia/Beirut",
    "Asia/Amman",
    "Asia/Gaza",
    "Asia/Pyongyang",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/El_Aaiun",
    "Australia/Lord_Howe",
    "Australia/Eucla",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Pacific/Norfolk",
    "Antarctica/Troll",
    "Antarctica/Casey",
    "Etc/GMT+12",
    "Asia/Manila",
};

constexpr PeriodKind kCalendar[] = {PeriodKind::hour,  PeriodKind::day,     PeriodKind::week,
                                    PeriodKind::month, PeriodKind::quarter, PeriodKind::year};

struct Dice {
    std::mt19937_64 random;
    std::uint64_t below(std::uint64_t end) { return random() % end; }

    PeriodSpec spec() {
        PeriodSpec out;
        out.kind = kCalendar[below(std::size(kCalendar))];
        out.zone = Zone::find(kZones[below(std::size(kZones))]).value();
        out.week_start = std::chrono::weekday(static_cast<unsigned>(below(7)));
        out.anchor_day = static_cast<unsigned>(1 + below(31));
        return out;
    }
    // From 1900 to 2100; half of them at a change of the zone's clock, give or take two hours.
    WallTime instant(const Zone& zone) {
        constexpr auto kFirst = sys_days(std::chrono::year(1900) / 1 / 1);
        const auto at = kFirst + std::chrono::seconds(below(200ULL * 365 * 86'400));
        const auto change = zone.change_after(at);
        if (below(2) == 0 || !change) return at;
        return *change + std::chrono::seconds(below(4 * 3'600)) - 2h;
    }
};

TEST(PeriodProperties, periods_follow_each_other_without_gap_or_overlap) {
    Dice dice{std::mt19937_64(17)};
    for (int round = 0; round < 20'000; ++round) {
        const PeriodSpec spec = dice.spec();
        const WallTime now = dice.instant(spec.zone);
        const Period here = period_at(spec, now).value();
        ASSERT_TRUE(here.contains(now)) << here.id;
        // Every instant of it gives it, the neighbours touch it and are others.
        const auto length = std::chrono::duration_cast<std::chrono::seconds>(here.end - here.start);
        const WallTime inside =
            here.start + std::chrono::seconds(dice.below(static_cast<std::uint64_t>(length.count())));
        for (const WallTime at : {here.start, inside, here.end - 1ns}) ASSERT_EQ(period_at(spec, at), here);
        const Period next = period_at(spec, here.end).value();
        const Period previous = period_at(spec, here.start - 1ns).value();
        ASSERT_EQ(next.start, here.end) << here.id;
        ASSERT_EQ(previous.end, here.start) << here.id;
        ASSERT_NE(next.id, here.id);
        ASSERT_NE(previous.id, here.id);
    }
}

TEST(PeriodProperties, boundaries_are_local_midnights_wherever_there_is_one) {
    Dice dice{std::mt19937_64(19)};
    for (int round = 0; round < 5'000; ++round) {
        PeriodSpec spec = dice.spec();
        if (spec.kind == PeriodKind::hour) spec.kind = PeriodKind::day;
        const Period here = period_at(spec, dice.instant(spec.zone)).value();
        const auto start = std::chrono::floor<std::chrono::seconds>(here.start);
        const auto time_of_day = (start.time_since_epoch() + spec.zone.offset_at(start)) % 86'400s;
        const bool after_gap = spec.zone.change_until(start) == start;
        ASSERT_TRUE(time_of_day % 86'400s == 0s || after_gap) << here.id;
    }
}

TEST(PeriodProperties, ids_tell_periods_and_specs_apart) {
    Dice dice{std::mt19937_64(23)};
    std::map<std::string, std::pair<WallTime, WallTime>> seen;
    for (int round = 0; round < 20'000; ++round) {
        const PeriodSpec spec = dice.spec();
        const Period here = period_at(spec, dice.instant(spec.zone)).value();
        const auto [at, fresh] = seen.try_emplace(here.id, here.start, here.end);
        ASSERT_EQ(at->second, (std::pair{here.start, here.end})) << here.id;
        ASSERT_NE(here.id.find(":" + spec.zone.name() + ":"), std::string::npos) << here.id;
        ASSERT_EQ(here.id.find(' '), std::string::npos);
    }
    EXPECT_GT(seen.size(), 15'000U);
}

TEST(PeriodProperties, no_hour_is_longer_than_an_hour) {
    Dice dice{std::mt19937_64(29)};
    for (int round = 0; round < 5'000; ++round) {
        PeriodSpec spec = dice.spec();
        spec.kind = PeriodKind::hour;
        const Period here = period_at(spec, dice.instant(spec.zone)).value();
        ASSERT_LE(here.end - here.start, 1h) << here.id;
        ASSERT_GT(here.end - here.start, 0s) << here.id;
    }
}

TEST(PeriodCursor, agrees_with_period_at_whichever_way_time_goes) {
    Dice dice{std::mt19937_64(31)};
    for (int round = 0; round < 200; ++round) {
        PeriodCursor cursor(dice.spec());
        WallTime now = dice.instant(cursor.spec().zone);
        for (int step = 0; step < 50; ++step) {
            now += std::chrono::seconds(dice.below(7'200)) - 3'000s;
            ASSERT_EQ(*cursor.at(now), period_at(cursor.spec(), now));
        }
    }
    PeriodSpec fixed;
    fixed.kind = PeriodKind::fixed;
    fixed.from = WallTime(1h);
    fixed.to = WallTime(2h);
    PeriodCursor cursor(fixed);
    EXPECT_EQ(cursor.at(WallTime(0h)), nullptr);
    EXPECT_NE(cursor.at(WallTime(1h)), nullptr);
    EXPECT_EQ(cursor.at(WallTime(2h)), nullptr);
}

// Stated: below 1 µs within the current period; asserted at ten times that.
TEST(PeriodCursor, only_compares_within_the_current_period) {
    PeriodSpec spec;
    spec.zone = Zone::find("Europe/Berlin").value();
    PeriodCursor cursor(spec);
    const WallTime now = sys_days(std::chrono::year(2026) / 11 / 23);
    const Period* const first = cursor.at(now);
    constexpr int kCalls = 1'000'000;
    int same = 0;
    const auto begun = std::chrono::steady_clock::now();
    for (int i = 0; i < kCalls; ++i) same += cursor.at(now + std::chrono::microseconds(i)) == first ? 1 : 0;
    const auto took = std::chrono::steady_clock::now() - begun;
    EXPECT_EQ(same, kCalls);
    EXPECT_LT(took / kCalls, 10us);
    RecordProperty("nanoseconds", std::to_string(std::chrono::nanoseconds(took).count() / kCalls));
}

} // namespace
} // namespace tollgate::policy
