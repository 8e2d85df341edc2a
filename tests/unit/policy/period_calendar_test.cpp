#include "policy/period/period.hpp"

#include <gtest/gtest.h>

#include <iomanip>
#include <sstream>

namespace tollgate::policy {
namespace {

using namespace std::chrono_literals;

WallTime utc(const char* text) {
    std::tm parts{};
    std::istringstream(text) >> std::get_time(&parts, "%Y-%m-%dT%H:%M:%S");
    return WallClock::from_time_t(timegm(&parts));
}

PeriodSpec spec(PeriodKind kind, std::string_view zone) {
    PeriodSpec out;
    out.kind = kind;
    out.zone = Zone::find(zone).value();
    return out;
}

void expect_period(const PeriodSpec& what, const char* now, const char* start, const char* end, std::string_view id) {
    const auto period = period_at(what, utc(now));
    ASSERT_TRUE(period) << now;
    EXPECT_EQ(period->start, utc(start)) << now;
    EXPECT_EQ(period->end, utc(end)) << now;
    EXPECT_EQ(period->id, id) << now;
}

// Scenario 37.
TEST(PeriodAt, berlin_days_have_23_and_25_hours_when_the_clock_changes) {
    const PeriodSpec day = spec(PeriodKind::day, "Europe/Berlin");
    expect_period(day, "2026-03-29T00:30:00", "2026-03-28T23:00:00", "2026-03-29T22:00:00",
                  "day:Europe/Berlin:2026-03-29");
    expect_period(day, "2026-03-29T21:59:59", "2026-03-28T23:00:00", "2026-03-29T22:00:00",
                  "day:Europe/Berlin:2026-03-29");
    expect_period(day, "2026-03-29T22:00:00", "2026-03-29T22:00:00", "2026-03-30T22:00:00",
                  "day:Europe/Berlin:2026-03-30");
    expect_period(day, "2026-10-25T12:00:00", "2026-10-24T22:00:00", "2026-10-25T23:00:00",
                  "day:Europe/Berlin:2026-10-25");
}

TEST(PeriodAt, berlin_months_begin_at_local_midnight_on_both_sides_of_a_change) {
    const PeriodSpec month = spec(PeriodKind::month, "Europe/Berlin");
    expect_period(month, "2026-03-15T00:00:00", "2026-02-28T23:00:00", "2026-03-31T22:00:00",
                  "month@1:Europe/Berlin:2026-03");
    expect_period(month, "2026-03-31T22:00:00", "2026-03-31T22:00:00", "2026-04-30T22:00:00",
                  "month@1:Europe/Berlin:2026-04");
    expect_period(month, "2026-10-31T22:59:59", "2026-09-30T22:00:00", "2026-10-31T23:00:00",
                  "month@1:Europe/Berlin:2026-10");
}

TEST(PeriodAt, kolkata_days_begin_at_half_past_six_in_the_evening) {
    const PeriodSpec day = spec(PeriodKind::day, "Asia/Kolkata");
    expect_period(day, "2026-11-22T18:29:59", "2026-11-21T18:30:00", "2026-11-22T18:30:00",
                  "day:Asia/Kolkata:2026-11-22");
    expect_period(day, "2026-11-22T18:30:00", "2026-11-22T18:30:00", "2026-11-23T18:30:00",
                  "day:Asia/Kolkata:2026-11-23");
}

TEST(PeriodAt, an_anchor_day_beyond_the_month_is_its_last_day) {
    PeriodSpec month = spec(PeriodKind::month, "UTC");
    month.anchor_day = 31;
    expect_period(month, "2026-02-27T23:59:59", "2026-01-31T00:00:00", "2026-02-28T00:00:00", "month@31:UTC:2026-01");
    expect_period(month, "2026-02-28T00:00:00", "2026-02-28T00:00:00", "2026-03-31T00:00:00", "month@31:UTC:2026-02");
    expect_period(month, "2026-04-30T12:00:00", "2026-04-30T00:00:00", "2026-05-31T00:00:00", "month@31:UTC:2026-04");
    expect_period(month, "2028-02-29T00:00:00", "2028-02-29T00:00:00", "2028-03-31T00:00:00", "month@31:UTC:2028-02");
    month.anchor_day = 15;
    expect_period(month, "2027-01-14T12:00:00", "2026-12-15T00:00:00", "2027-01-15T00:00:00", "month@15:UTC:2026-12");
}

TEST(PeriodAt, weeks_quarters_and_years) {
    PeriodSpec week = spec(PeriodKind::week, "UTC");
    expect_period(week, "2026-11-23T00:00:00", "2026-11-23T00:00:00", "2026-11-30T00:00:00", "week@1:UTC:2026-11-23");
    expect_period(week, "2026-11-22T23:59:59", "2026-11-16T00:00:00", "2026-11-23T00:00:00", "week@1:UTC:2026-11-16");
    week.week_start = std::chrono::Sunday;
    expect_period(week, "2026-11-22T00:00:00", "2026-11-22T00:00:00", "2026-11-29T00:00:00", "week@7:UTC:2026-11-22");
    expect_period(week, "1969-12-31T00:00:00", "1969-12-28T00:00:00", "1970-01-04T00:00:00", "week@7:UTC:1969-12-28");
    const PeriodSpec quarter = spec(PeriodKind::quarter, "America/New_York");
    expect_period(quarter, "2026-11-23T00:00:00", "2026-10-01T04:00:00", "2027-01-01T05:00:00",
                  "quarter:America/New_York:2026-Q4");
    expect_period(spec(PeriodKind::year, "UTC"), "2026-11-23T00:00:00", "2026-01-01T00:00:00", "2027-01-01T00:00:00",
                  "year:UTC:2026");
}

TEST(PeriodAt, a_midnight_that_does_not_exist_is_the_end_of_the_gap) {
    // 2018-11-04 00:00 -03 → 01:00 -02.
    const PeriodSpec brazil = spec(PeriodKind::day, "America/Sao_Paulo");
    expect_period(brazil, "2018-11-04T02:59:59", "2018-11-03T03:00:00", "2018-11-04T03:00:00",
                  "day:America/Sao_Paulo:2018-11-03");
    expect_period(brazil, "2018-11-04T03:00:00", "2018-11-04T03:00:00", "2018-11-05T02:00:00",
                  "day:America/Sao_Paulo:2018-11-04");
    // 2010-04-30 00:00 EET → 01:00 EEST.
    const PeriodSpec egypt = spec(PeriodKind::day, "Africa/Cairo");
    expect_period(egypt, "2010-04-29T22:00:00", "2010-04-29T22:00:00", "2010-04-30T21:00:00",
                  "day:Africa/Cairo:2010-04-30");
    // A gap that begins before midnight: 1919-03-30 23:30 → 1919-03-31 00:30.
    const PeriodSpec toronto = spec(PeriodKind::day, "America/Toronto");
    expect_period(toronto, "1919-03-31T04:30:00", "1919-03-31T04:30:00", "1919-04-01T04:00:00",
                  "day:America/Toronto:1919-03-31");
}

TEST(PeriodAt, a_midnight_that_comes_twice_is_its_first_time) {
    // 2026-11-01 01:00 CDT → 00:00 CST.
    const PeriodSpec havana = spec(PeriodKind::day, "America/Havana");
    expect_period(havana, "2026-11-01T04:30:00", "2026-11-01T04:00:00", "2026-11-02T05:00:00",
                  "day:America/Havana:2026-11-01");
    expect_period(havana, "2026-11-01T05:30:00", "2026-11-01T04:00:00", "2026-11-02T05:00:00",
                  "day:America/Havana:2026-11-01");
    // 2006-10-29 00:01 NDT → 2006-10-28 23:01 NST: the evening before comes again, in the period that has begun.
    const PeriodSpec newfoundland = spec(PeriodKind::day, "America/St_Johns");
    expect_period(newfoundland, "2006-10-29T02:29:59", "2006-10-28T02:30:00", "2006-10-29T02:30:00",
                  "day:America/St_Johns:2006-10-28");
    expect_period(newfoundland, "2006-10-29T02:45:00", "2006-10-29T02:30:00", "2006-10-30T03:30:00",
                  "day:America/St_Johns:2006-10-29");
}

TEST(PeriodAt, a_date_that_was_skipped_has_no_period) {
    const PeriodSpec samoa = spec(PeriodKind::day, "Pacific/Apia");
    expect_period(samoa, "2011-12-30T09:59:59", "2011-12-29T10:00:00", "2011-12-30T10:00:00",
                  "day:Pacific/Apia:2011-12-29");
    expect_period(samoa, "2011-12-30T10:00:00", "2011-12-30T10:00:00", "2011-12-31T10:00:00",
                  "day:Pacific/Apia:2011-12-31");
}

TEST(PeriodAt, hours_are_the_zones_and_a_repeated_one_is_another) {
    const PeriodSpec berlin = spec(PeriodKind::hour, "Europe/Berlin");
    expect_period(berlin, "2026-10-25T00:59:59", "2026-10-25T00:00:00", "2026-10-25T01:00:00",
                  "hour:Europe/Berlin:2026-10-25T00:00:00Z");
    expect_period(berlin, "2026-10-25T01:00:00", "2026-10-25T01:00:00", "2026-10-25T02:00:00",
                  "hour:Europe/Berlin:2026-10-25T01:00:00Z");
    const PeriodSpec kolkata = spec(PeriodKind::hour, "Asia/Kolkata");
    expect_period(kolkata, "2026-11-23T10:15:00", "2026-11-23T09:30:00", "2026-11-23T10:30:00",
                  "hour:Asia/Kolkata:2026-11-23T09:30:00Z");
    // Lord Howe's clock goes back half an hour at 2:00 to 1:30, on 2026-04-05 at 15:00Z the day before.
    const PeriodSpec howe = spec(PeriodKind::hour, "Australia/Lord_Howe");
    expect_period(howe, "2026-04-04T14:45:00", "2026-04-04T14:00:00", "2026-04-04T15:00:00",
                  "hour:Australia/Lord_Howe:2026-04-04T14:00:00Z");
    expect_period(howe, "2026-04-04T15:10:00", "2026-04-04T15:00:00", "2026-04-04T15:30:00",
                  "hour:Australia/Lord_Howe:2026-04-04T15:00:00Z");
    expect_period(howe, "2026-04-04T15:30:00", "2026-04-04T15:30:00", "2026-04-04T16:30:00",
                  "hour:Australia/Lord_Howe:2026-04-04T15:30:00Z");
}

// Scenario 38: the request keeps the period of its admission, a later one is another counter.
TEST(PeriodAt, a_settlement_after_midnight_names_the_old_period_by_the_reservations_time) {
    const PeriodSpec day = spec(PeriodKind::day, "Europe/Berlin");
    const auto admitted = period_at(day, utc("2026-11-23T22:59:58"));
    const auto settled = period_at(day, utc("2026-11-23T23:00:05"));
    EXPECT_EQ(admitted->id, "day:Europe/Berlin:2026-11-23");
    EXPECT_EQ(settled->id, "day:Europe/Berlin:2026-11-24");
    EXPECT_EQ(admitted->end, settled->start);
}

TEST(PeriodAt, lifetime_and_fixed) {
    PeriodSpec fixed;
    fixed.kind = PeriodKind::fixed;
    fixed.from = utc("2026-01-01T00:00:00");
    fixed.to = utc("2026-02-01T00:00:00");
    EXPECT_EQ(period_at(fixed, fixed.from - 1ns), std::nullopt);
    ASSERT_TRUE(period_at(fixed, fixed.from));
    EXPECT_EQ(period_at(fixed, fixed.from), period_at(fixed, fixed.to - 1ns));
    EXPECT_EQ(period_at(fixed, fixed.to), std::nullopt);
    PeriodSpec lifetime;
    lifetime.kind = PeriodKind::lifetime;
    EXPECT_EQ(period_at(lifetime, fixed.from), period_at(lifetime, fixed.to));
}

TEST(RollingParts, always_hold_the_whole_window_and_at_most_one_part_more) {
    PeriodSpec rolling;
    rolling.kind = PeriodKind::rolling;
    rolling.window = 24h;
    rolling.buckets = 24;
    for (const char* text : {"2026-11-23T00:00:00", "2026-11-23T00:59:59", "2026-11-23T12:34:56"}) {
        const WallTime now = utc(text);
        const auto parts = rolling_parts(rolling, now);
        ASSERT_EQ(parts.size(), 25U);
        EXPECT_EQ(parts.front(), period_at(rolling, now));
        for (std::size_t i = 1; i < parts.size(); ++i) EXPECT_EQ(parts[i].end, parts[i - 1].start);
        EXPECT_LE(parts.back().start, now - 24h);
        EXPECT_GT(parts.back().start, now - 26h);
    }
    rolling.window = 100s;
    rolling.buckets = 3; // parts of 34 s
    EXPECT_EQ(rolling_parts(rolling, utc("2026-11-23T00:00:00")).back().end -
                  rolling_parts(rolling, utc("2026-11-23T00:00:00")).back().start,
              34s);
    EXPECT_TRUE(rolling_parts(PeriodSpec{}, utc("2026-11-23T00:00:00")).empty());
}

TEST(ProblemOf, says_what_cannot_be) {
    PeriodSpec what;
    EXPECT_EQ(problem_of(what), "");
    for (const unsigned day : {0U, 32U}) {
        what.anchor_day = day;
        EXPECT_EQ(problem_of(what), "the day is 1 to 31");
    }
    what.kind = PeriodKind::rolling;
    what.window = 10s;
    what.buckets = 11;
    EXPECT_EQ(problem_of(what), "a part of a rolling window is at least a second long");
    what.buckets = 0;
    EXPECT_EQ(problem_of(what), "a rolling window has 1 to 1000 parts");
    what.buckets = 1;
    what.window = std::chrono::days(4'000);
    EXPECT_EQ(problem_of(what), "a rolling window is at most ten years long");
    what.kind = PeriodKind::fixed;
    EXPECT_EQ(problem_of(what), "it ends before it begins");
    what.kind = PeriodKind::week;
    what.week_start = std::chrono::weekday(9);
    EXPECT_EQ(problem_of(what), "no such day of the week");
}

TEST(ZoneFind, an_unknown_name_is_an_error_with_a_suggestion) {
    EXPECT_EQ(Zone::find("Europe/Berlni").error(), "did you mean `Europe/Berlin`?");
    EXPECT_EQ(Zone::find("europe/berlin").error(), "did you mean `Europe/Berlin`?");
    EXPECT_EQ(Zone::find("Berlin").error(), "did you mean `Europe/Berlin`?");
    EXPECT_EQ(Zone::find("America/New York").error(), "did you mean `America/New_York`?");
    for (const char* vague : {"", "CST", "IST", "PST", "Middle Earth", "\xFF\xFE"})
        EXPECT_EQ(Zone::find(vague).error(), "write an area and a city, as in Europe/Berlin") << vague;
    for (const char* offset : {"+02:00", "GMT+2", "UTC+2", "GMT+02:00"})
        EXPECT_EQ(Zone::find(offset).error(),
                  "an offset has no daylight saving time; write an area and a city, as in Europe/Berlin")
            << offset;
    EXPECT_FALSE(Zone::find(std::string(100'000, 'x')));
    EXPECT_FALSE(Zone::find(std::string_view("UTC\0", 4)));
    for (const char* good : {"UTC", "Etc/UTC", "Europe/Berlin", "CET", "America/Argentina/Buenos_Aires", "Etc/GMT+5"})
        EXPECT_EQ(Zone::find(good)->name(), good);
    EXPECT_EQ(Zone().name(), "UTC");
    EXPECT_TRUE(Zone::data_version().starts_with("20")) << Zone::data_version();
}

} // namespace
} // namespace tollgate::policy
