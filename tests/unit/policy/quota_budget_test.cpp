#include "policy/quota/denial.hpp"
#include "tests/unit/policy/quota_support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace tollgate::policy::quota {
namespace {

using namespace std::chrono_literals;

constexpr Nano kCost = 7'654'321;

TEST(QuotaBudget, scenarios_32_and_50_a_strict_budget_for_100_dispatches_100) {
    Org org({scope("key", "k", {budget(100 * kCost)}), scope("org", "rich", {budget(1'000'000 * kUsd)})});
    std::vector<Admission> open;
    for (int i = 0; i < 500; ++i) open.push_back(org.admit(ask_for(money(kCost))));
    EXPECT_EQ(std::ranges::count_if(open, [](const Admission& a) { return a.reply.admitted; }), 100);
    for (Admission& admission : open) admission.reservation.settle(money(kCost), at());
    EXPECT_EQ(org.reading().spent, 100 * kCost);
    EXPECT_EQ(org.reading().state.held, 0);
    EXPECT_EQ(org.reading(1).spent, 100 * kCost);
}

TEST(QuotaBudget, scenario_33_balanced_overshoots_by_what_was_misjudged_and_then_denies) {
    Org org({scope("key", "k", {budget(100 * kCost, Mode::balanced)})});
    const Nano actual = kCost + kCost * 3 / 10;
    std::vector<Admission> open;
    for (int i = 0; i < 500; ++i) {
        Admission admission = org.admit(ask_for(money(100 * kCost), money(kCost)));
        if (admission.reply.admitted) open.push_back(std::move(admission));
    }
    EXPECT_EQ(open.size(), 100U);
    for (Admission& admission : open) admission.reservation.settle(money(actual), at());
    EXPECT_EQ(org.reading().spent, 100 * actual);
    EXPECT_EQ(org.remaining(), 0);
    EXPECT_FALSE(org.admit(ask_for(money(1))).reply.admitted) << "the overshoot is debt of this period";
}

TEST(QuotaBudget, scenario_34_the_last_call_is_one_at_a_time) {
    Org org({scope("key", "k", {budget(kUsd / 1'000, Mode::last_call)})});
    std::vector<Admission> open;
    for (int i = 0; i < 100; ++i) {
        Admission admission = org.admit(ask_for(money(kUsd)));
        if (admission.reply.admitted) open.push_back(std::move(admission));
    }
    ASSERT_EQ(open.size(), 1U);
    EXPECT_EQ(org.reading().state.held, kUsd / 1'000) << "what was left, not what it may cost";
    open.front().reservation.settle(money(kUsd / 2'000), at());
    EXPECT_TRUE(org.admit(ask_for(money(kUsd))).reply.admitted) << "half is left again";
}

TEST(QuotaBudget, scenario_35_a_top_up_is_denied_where_the_budget_ends) {
    Org org({scope("key", "k", {budget(10 * kCost), slots(1)})});
    Admission stream = org.admit(ask_for(money(kCost)));
    int quanta = 0;
    while (stream.reservation.top_up(ask_for(money(2 * kCost)), at())) ++quanta;
    EXPECT_EQ(quanta, 4);
    EXPECT_EQ(org.reading().state.held, 9 * kCost) << "the denied quantum took nothing";
    EXPECT_EQ(org.reading(0, 1).state.used, 1) << "no second slot";
    stream.reservation.settle(money(9 * kCost), at());
    EXPECT_EQ(org.reading().spent, 9 * kCost);
}

TEST(QuotaBudget, scenario_35_a_stream_holds_what_it_uses_until_a_limit_that_cuts_has_no_room) {
    LimitSpec cutting = budget(10 * kCost, Mode::balanced);
    cutting.cut = true;
    Org org({scope("key", "k", {cutting, tpm(100, Mode::balanced), rpm(10), slots(1)})});
    Admission stream = org.admit(ask_for({.output = 90, .nano = 9 * kCost}, Estimate{.output = 10, .nano = kCost}));
    EXPECT_TRUE(stream.reservation.extend({.output = 5, .nano = kCost / 2}, at()).extended);
    EXPECT_EQ(org.reading().state.held, kCost) << "never less than was reserved";
    EXPECT_TRUE(stream.reservation.extend({.output = 200, .nano = 10 * kCost}, at()).extended);
    EXPECT_EQ(org.reading().state.held, 10 * kCost);
    EXPECT_EQ(org.remaining(0, 1), 0) << "a limit that lets streams finish takes the rest as debt";
    EXPECT_EQ(org.remaining(0, 2), 9);
    EXPECT_EQ(org.reading(0, 3).state.used, 1);
    const ExtendReply over = stream.reservation.extend({.output = 400, .nano = 10 * kCost + 1}, at());
    EXPECT_FALSE(over.extended);
    ASSERT_TRUE(over.denial);
    EXPECT_EQ(over.denial->state.dimension, Dimension::money);
    EXPECT_EQ(over.denial->requested, 1);
    EXPECT_EQ(org.reading().state.held, 10 * kCost) << "the denied step took nothing, from no limit";
    EXPECT_EQ(org.reading(0, 1).state.used, 200 * kToken);
    stream.reservation.settle(Estimate{.output = 200, .nano = 10 * kCost}, at());
    EXPECT_EQ(org.reading().spent, 10 * kCost);
    EXPECT_EQ(org.reading().state.held, 0);
    EXPECT_EQ(org.reading(0, 1).state.used, 200 * kToken);
}

TEST(QuotaBudget, streams_are_not_cut_by_limits_in_shadow_soft_ones_or_once_they_are_closed) {
    for (const bool shadow : {false, true}) {
        LimitSpec lenient = budget(kCost, shadow ? Mode::balanced : Mode::soft);
        lenient.cut = true;
        lenient.shadow = shadow;
        Org org({scope("key", "k", {lenient})});
        Admission stream = org.admit(ask_for(money(kCost)));
        EXPECT_TRUE(stream.reservation.extend(money(5 * kCost), at()).extended);
        EXPECT_EQ(org.reading().state.held, 5 * kCost);
        EXPECT_FALSE(stream.reservation.extend({.nano = -1}, at()).extended);
        const ReservationId id = stream.reservation.id();
        stream.reservation.settle(money(kCost), at());
        const ExtendReply closed = org.store().extend(id, money(9 * kCost), at());
        EXPECT_FALSE(closed.extended);
        EXPECT_FALSE(closed.denial);
        EXPECT_EQ(org.reading().spent, kCost);
    }
}

TEST(QuotaBudget, a_last_call_that_is_topped_up_goes_on_within_what_it_took) {
    Org org({scope("key", "k", {budget(10 * kCost, Mode::last_call)})});
    Admission stream = org.admit(ask_for(money(20 * kCost)));
    ASSERT_TRUE(stream.reply.admitted);
    EXPECT_TRUE(stream.reservation.top_up(ask_for(money(kCost)), at()));
    EXPECT_EQ(org.reading().state.held, 10 * kCost);
    EXPECT_FALSE(org.admit(ask_for(money(1))).reply.admitted);
}

TEST(QuotaBudget, scenario_36_a_million_settlements_add_up_to_the_nano) {
    Org org({scope("key", "k", {budget(100'000'000 * kUsd)})});
    for (int i = 0; i < 1'000'000; ++i) org.request(ask_for(money(kCost)), money(kCost));
    EXPECT_EQ(org.reading().spent, 1'000'000 * kCost);
    LocalStore& store = org.store();
    const Period today = UtcDays().at(kWall);
    (void)store.restore("key", "k", "day", today, 9'100'000 * kUsd + 1, at());
    for (int i = 0; i < 1'000; ++i) org.request(ask_for(money(kCost)), money(kCost));
    EXPECT_EQ(org.reading().spent, 9'100'000 * kUsd + 1 + 1'000 * kCost) << "above 2^53 nano-USD";
}

// Boundaries of Europe/Berlin around the end of summer time 2026, and months anchored on the 31st.
class Calendar final : public PeriodRule {
  public:
    explicit Calendar(std::vector<WallTime> begins) : begins_(std::move(begins)) {}
    [[nodiscard]] Period at(WallTime wall) const override {
        const auto next = std::ranges::upper_bound(begins_, wall);
        return {.id = std::to_string(next - begins_.begin()), .begin = *(next - 1), .end = *next};
    }

  private:
    std::vector<WallTime> begins_;
};

WallTime utc(int month, unsigned day, int hour, int minute = 0) {
    return std::chrono::sys_days(std::chrono::year(2026) / month / static_cast<int>(day)) + std::chrono::hours(hour) +
           std::chrono::minutes(minute);
}

TEST(QuotaBudget, scenario_37_a_budget_resets_where_its_calendar_says_on_days_of_23_to_25_hours) {
    // 24 October ends at 22:00Z, 25 October has 25 hours, 26 October begins at 23:00Z.
    const auto berlin = std::make_shared<Calendar>(
        std::vector{utc(10, 23, 22), utc(10, 24, 22), utc(10, 25, 23), utc(10, 26, 23), utc(10, 27, 23)});
    const Moment start{.steady = kSteady, .wall = utc(10, 24, 21, 59)};
    Org org({scope("key", "k", {budget(kUsd, Mode::strict, "day", berlin)})}, start);
    const auto spend = [&](WallTime wall) { return org.request(ask_for(money(kUsd)), money(kUsd), {kSteady, wall}); };
    EXPECT_TRUE(spend(utc(10, 24, 21, 59)));
    EXPECT_FALSE(spend(utc(10, 24, 21, 59) + 59s));
    EXPECT_TRUE(spend(utc(10, 24, 22)));
    EXPECT_FALSE(spend(utc(10, 25, 22))) << "still the day of 25 hours";
    const Admission denied = org.admit(ask_for(money(1)), {kSteady, utc(10, 25, 22, 30)});
    EXPECT_EQ(denied.reply.denial->wait, 30min) << "until the period's end";
    EXPECT_TRUE(spend(utc(10, 25, 23)));
    EXPECT_FALSE(spend(utc(10, 24, 23))) << "a clock set back finds what was spent then";
}

TEST(QuotaBudget, scenario_38_a_request_belongs_to_the_period_of_its_admission) {
    Org org({scope("key", "k", {budget(kUsd)})});
    const Moment before{.steady = kSteady, .wall = kWall + 11h + 59min + 58s};
    const Moment after{.steady = kSteady + 7s, .wall = before.wall + 7s};
    Admission stream = org.admit(ask_for(money(kUsd / 2)), before);
    EXPECT_EQ(org.reading(0, 0, after).state.used, 0);
    EXPECT_TRUE(stream.reservation.top_up(ask_for(money(kUsd / 2)), after)) << "of the old period's budget";
    EXPECT_FALSE(stream.reservation.top_up(ask_for(money(1)), after));
    std::vector<BudgetLine> lines(4);
    EXPECT_EQ(stream.reservation.budgets(lines), 1U);
    EXPECT_EQ(lines[0].period, UtcDays().at(before.wall).id);
    EXPECT_EQ(lines[0].held, kUsd);
    stream.reservation.settle(money(kUsd), after);
    EXPECT_EQ(org.store().spent(*org.handles[0], "day", UtcDays().at(before.wall).id), kUsd);
    EXPECT_EQ(org.reading(0, 0, after).spent, 0);
}

TEST(QuotaBudget, scenario_42_each_threshold_is_crossed_once_per_period) {
    Org org({scope("team", "search", {budget(100 * kCost, Mode::soft)})});
    const auto crossings = [&](Moment now) {
        std::vector<Admission> open;
        for (int i = 0; i < 110; ++i) open.push_back(org.admit(ask_for(money(kCost)), now));
        std::vector<std::pair<int, Nano>> seen;
        for (Admission& admission : open) {
            for (const Crossing& crossing : admission.reservation.settle(money(kCost), now).crossings) {
                EXPECT_EQ(crossing.period, UtcDays().at(now.wall).id);
                seen.emplace_back(crossing.percent, crossing.spent);
            }
        }
        return seen;
    };
    const std::vector<std::pair<int, Nano>> once{
        {50, 50 * kCost}, {80, 80 * kCost}, {90, 90 * kCost}, {100, 100 * kCost}};
    EXPECT_EQ(crossings(at()), once);
    EXPECT_TRUE(crossings(at(1h)).empty());
    EXPECT_EQ(crossings(at(24h)), once);
}

TEST(QuotaBudget, one_settlement_may_cross_several_thresholds_and_an_edit_repeats_none) {
    Org org({scope("team", "t", {budget(100)})});
    Admission big = org.admit(ask_for(money(95)));
    EXPECT_EQ(big.reservation.settle(money(95), at()).crossings.size(), 3U);
    org.redefine(0, scope("team", "t", {budget(1'000)}));
    org.redefine(0, scope("team", "t", {budget(100)}));
    Admission last = org.admit(ask_for(money(5)));
    const SettleReply reply = last.reservation.settle(money(5), at());
    ASSERT_EQ(reply.crossings.size(), 1U);
    EXPECT_EQ(reply.crossings[0].percent, 100);
}

TEST(QuotaBudget, the_output_cap_is_the_largest_that_fits_every_strict_budget) {
    // 1,000 pico-USD = 1 nano-USD per output token, 500 nano-USD of input.
    Ask ask = ask_for({.input = 100, .output = 2 * 16'384, .nano = 500 + 2 * 16'384});
    ask.open_output = OpenOutput{.choices = 2, .fixed_pico = 499'001, .output_pico = 1'000};
    Org org(
        {scope("key", "k", {budget(1'500)}), scope("team", "t", {budget(1'300)}), scope("org", "o", {tpm(1'000'000)})});
    const Admission admission = org.admit(ask);
    ASSERT_TRUE(admission.reply.admitted);
    EXPECT_EQ(admission.reply.output_cap, 400) << "2 x 400 nano-USD and the input fit 1,300 of the team's";
    EXPECT_EQ(admission.reply.reserved, (Estimate{.input = 100, .output = 800, .nano = 1'300}));
    EXPECT_EQ(org.reading(1).state.held, 1'300);
    EXPECT_EQ(org.remaining(2), 1'000'000 - 900) << "the other limits reserve what is capped, too";
}

TEST(QuotaBudget, less_than_256_tokens_are_no_cap_worth_having) {
    Ask ask = ask_for({.input = 0, .output = 16'384, .nano = 16'384});
    ask.open_output = OpenOutput{.output_pico = 1'000};
    Org enough({scope("key", "k", {budget(256)})});
    EXPECT_EQ(enough.admit(ask).reply.output_cap, 256);
    Org less({scope("key", "k", {budget(255)})});
    const Admission never = less.admit(ask);
    ASSERT_FALSE(never.reply.admitted);
    EXPECT_FALSE(never.reply.output_cap.has_value());
    EXPECT_EQ(never.reply.denial->requested, 256);
    EXPECT_EQ(never.reply.denial->wait, Duration::max());
    Org later({scope("key", "k", {budget(1'000)})});
    ASSERT_TRUE(later.request(ask_for(money(800)), money(800)));
    EXPECT_EQ(later.admit(ask).reply.denial->wait, 12h) << "tomorrow it fits";
    ask.open_output.reset();
    EXPECT_FALSE(enough.admit(ask).reply.admitted) << "a maximum that the client named is not changed";
}

TEST(QuotaBudget, soft_admits_and_flags_shadow_does_not_cap) {
    Org soft({scope("key", "k", {budget(10, Mode::soft)})});
    EXPECT_TRUE(soft.admit(ask_for(money(11))).reply.soft_exceeded);
    LimitSpec shadow = budget(300);
    shadow.shadow = true;
    Org org({scope("key", "k", {shadow})});
    Ask ask = ask_for({.output = 1'000, .nano = 1'000});
    ask.open_output = OpenOutput{.output_pico = 1'000};
    const Admission admission = org.admit(ask);
    EXPECT_TRUE(admission.reply.shadow_exceeded);
    EXPECT_FALSE(admission.reply.output_cap.has_value());
    EXPECT_EQ(org.reading().would_deny, 1U);
}

TEST(QuotaBudget, a_raise_counts_until_it_ends) {
    LimitSpec limit = budget(100);
    limit.raise = Raise{.extra = 50, .until = kWall + 1h};
    Org org({scope("key", "k", {limit})});
    EXPECT_TRUE(org.request(ask_for(money(150)), money(120), at()));
    EXPECT_TRUE(org.request(ask_for(money(30)), money(0), at(1h - 1ns)));
    EXPECT_FALSE(org.admit(ask_for(money(1)), at(1h)).reply.admitted);
}

TEST(QuotaBudget, a_rolling_window_forgets_hour_by_hour) {
    Org org({scope("key", "k", {budget(10, Mode::strict, "rolling", std::make_shared<RollingHours>(24))})});
    EXPECT_TRUE(org.request(ask_for(money(6)), money(6), at()));
    EXPECT_TRUE(org.request(ask_for(money(4)), money(4), at(5h)));
    EXPECT_FALSE(org.admit(ask_for(money(1)), at(24h)).reply.admitted) << "24 hours are not over for all of that hour";
    EXPECT_TRUE(org.request(ask_for(money(6)), money(6), at(25h)));
    EXPECT_FALSE(org.admit(ask_for(money(1)), at(29h)).reply.admitted);
    EXPECT_TRUE(org.admit(ask_for(money(4)), at(30h)).reply.admitted);
}

TEST(QuotaBudget, several_windows_are_all_checked) {
    Org org({scope("key", "k", {budget(10), budget(15, Mode::strict, "lifetime", std::make_shared<Lifetime>())})});
    EXPECT_TRUE(org.request(ask_for(money(10)), money(10)));
    EXPECT_FALSE(org.admit(ask_for(money(1))).reply.admitted);
    const Admission tomorrow = org.admit(ask_for(money(6)), at(24h));
    ASSERT_FALSE(tomorrow.reply.admitted);
    EXPECT_EQ(tomorrow.reply.denial->state.names->window, "lifetime");
    EXPECT_EQ(tomorrow.reply.denial->wait, Duration::max());
}

TEST(QuotaBudget, ended_periods_are_forgotten_but_not_the_last_ones) {
    Org org({scope("key", "k", {budget(10)})});
    for (int day = 0; day < 30; ++day) ASSERT_TRUE(org.request(ask_for(money(1)), money(1), at(24h * day)));
    const auto spent = [&](int day) {
        return org.store().spent(*org.handles[0], "day", UtcDays().at(kWall + 24h * day).id);
    };
    EXPECT_EQ(spent(0), 0);
    EXPECT_EQ(spent(25), 1);
    EXPECT_EQ(spent(29), 1);
}

TEST(QuotaBudget, restoring_takes_the_larger_and_may_be_repeated) {
    Org org({scope("key", "k", {budget(100)})});
    const Period today{.id = UtcDays().at(kWall).id};
    EXPECT_EQ(org.store().restore("key", "k", "day", today, 60, at()).size(), 1U);
    EXPECT_TRUE(org.store().restore("key", "k", "day", today, 60, at()).empty());
    EXPECT_TRUE(org.store().restore("key", "k", "day", today, 10, at()).empty());
    EXPECT_TRUE(org.store().restore("key", "nobody", "day", today, 10, at()).empty());
    EXPECT_EQ(org.reading().spent, 60);
    EXPECT_EQ(org.reading().state.resets, UtcDays().at(kWall).end);
    EXPECT_FALSE(org.admit(ask_for(money(41))).reply.admitted);
    EXPECT_TRUE(org.request(ask_for(money(40)), money(40)));
}

TEST(QuotaBudget, a_denial_names_scope_numbers_end_and_contact) {
    ScopeSpec team = scope("team", "search", {budget(2'000 * kUsd, Mode::balanced, "month")});
    team.contact = "#llm-platform";
    Org org({team});
    ASSERT_TRUE(org.request(ask_for(money(1)), money(2'000 * kUsd + 30'000'000)));
    const Admission denied = org.admit(ask_for(money(12'000'000)));
    const Error error = denial_error(*denied.reply.denial, "someone else", kWall);
    EXPECT_EQ(error.status, 429);
    EXPECT_EQ(error.openai_type, "insufficient_quota");
    EXPECT_EQ(error.code, "insufficient_quota");
    EXPECT_EQ(error.retry, Retry::never);
    EXPECT_EQ(error.message, "Team \"search\" has used its monthly budget: $2,000.03 of $2,000.00. It resets on "
                             "2026-11-24T00:00:00Z (in 12 h 0 min). Ask #llm-platform for a raise.");
    EXPECT_EQ(error.details, R"("scope":"team","scope_name":"search","limit":"budget","limit_usd":"2000.00",)"
                             R"("spent_usd":"2000.03","reserved_usd":"0.00","estimated_request_usd":"0.012",)"
                             R"("period":"month","resets_at":"2026-11-24T00:00:00Z","retry_after_s":43200,)"
                             R"("contact":"#llm-platform")");
}

TEST(QuotaBudget, a_denial_near_the_end_says_what_is_left_and_held) {
    Org org({scope("key", "k", {budget(kUsd)})});
    const Admission open = org.admit(ask_for(money(kUsd * 3 / 4)));
    const Admission denied = org.admit(ask_for(money(kUsd / 2)));
    const Error error = denial_error(*denied.reply.denial, "", kWall);
    EXPECT_EQ(error.message,
              "Key \"k\" has $0.25 left of its daily budget, and this request may cost $0.50; the budget "
              "is $1.00. Requests still running hold $0.75 of it. It resets on 2026-11-24T00:00:00Z (in "
              "12 h 0 min).");
    EXPECT_NE(error.details.find(R"("reserved_usd":"0.75")"), std::string::npos) << error.details;
}

TEST(QuotaBudget, money_is_written_exactly) {
    const auto usd = [](Nano nano) {
        std::string text;
        append_usd(text, nano);
        text += ' ';
        append_dollars(text, nano);
        return text;
    };
    EXPECT_EQ(usd(0), "0.00 $0.00");
    EXPECT_EQ(usd(1), "0.000000001 $0.000000001");
    EXPECT_EQ(usd(1'234'567'800'000'000), "1234567.80 $1,234,567.80");
    EXPECT_EQ(usd(-kUsd / 2), "-0.50 -$0.50");
}

} // namespace
} // namespace tollgate::policy::quota
