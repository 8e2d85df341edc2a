#include "policy/quota/debt_bucket.hpp"
#include "policy/quota/denial.hpp"
#include "tests/unit/policy/quota_support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

namespace tollgate::policy::quota {
namespace {

using namespace std::chrono_literals;

int admitted_of(Org& org, int requests, const Ask& ask, Moment now = at()) {
    int admitted = 0;
    for (int i = 0; i < requests; ++i) admitted += org.request(ask, ask.upper, now) ? 1 : 0;
    return admitted;
}

TEST(QuotaRates, scenario_1_burst_passes_and_one_more_after_a_second) {
    Org org({scope("key", "k", {rpm(60, 10)})});
    EXPECT_EQ(admitted_of(org, 100, Ask{}), 10);
    EXPECT_EQ(admitted_of(org, 5, Ask{}, at(999ms)), 0);
    EXPECT_EQ(admitted_of(org, 5, Ask{}, at(1s)), 1);
}

TEST(QuotaRates, scenario_2_no_sixty_seconds_pass_more_than_burst_and_limit) {
    Org org({scope("key", "k", {rpm(60, 10)})});
    std::vector<int> second(180);
    for (int i = 0; i < 180; ++i) second[static_cast<std::size_t>(i)] = admitted_of(org, 20, Ask{}, at(1s * i));
    for (std::size_t from = 0; from + 60 <= second.size(); ++from) {
        int total = 0;
        for (std::size_t i = from; i < from + 60; ++i) total += second[i];
        EXPECT_LE(total, 70);
    }
}

TEST(QuotaRates, scenario_3_a_denial_takes_from_no_scope) {
    Org org({scope("key", "k", {rpm(100)}), scope("team", "t", {rpm(50)}), scope("org", "o", {rpm(20)})});
    EXPECT_EQ(admitted_of(org, 30, Ask{}), 20);
    EXPECT_EQ(org.remaining(0), 80);
    EXPECT_EQ(org.remaining(1), 30);
    EXPECT_EQ(org.remaining(2), 0);
}

TEST(QuotaRates, scenario_4_concurrency_denials_take_no_request) {
    Org org({scope("key", "k", {rpm(100), slots(1)})});
    const Admission stream = org.admit(Ask{});
    ASSERT_TRUE(stream.reply.admitted);
    for (int i = 0; i < 10; ++i) {
        const Admission denied = org.admit(Ask{});
        ASSERT_FALSE(denied.reply.admitted);
        EXPECT_EQ(denied.reply.denial->state.dimension, Dimension::concurrency);
        EXPECT_EQ(denied.reply.denial->wait, kSlotWait);
    }
    EXPECT_EQ(org.remaining(), 99);
    EXPECT_TRUE(org.admit(Ask::request_only()).reply.admitted) << "a hit needs no slot";
}

TEST(QuotaRates, scenario_5_what_was_not_used_comes_back) {
    Org org({scope("key", "k", {tpm(10'000)})});
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(org.request(ask_for(tokens(1'000)), tokens(100)));
    EXPECT_EQ(org.remaining(), 10'000 - 50 * 100);
}

TEST(QuotaRates, scenario_6_debt_is_repaid_before_the_next_request) {
    Org org({scope("key", "k", {tpm(10'000)})});
    EXPECT_TRUE(org.request(ask_for(tokens(100)), tokens(9'000)));
    EXPECT_TRUE(org.request(ask_for(tokens(100)), tokens(9'000)));
    const Admission denied = org.admit(ask_for(tokens(100)));
    ASSERT_FALSE(denied.reply.admitted);
    EXPECT_EQ(denied.reply.denial->wait, 48'600ms) << "8,000 of debt and 100 asked for, at 10,000 per minute";
    EXPECT_EQ(org.remaining(), 0) << "never negative in a header";
    EXPECT_FALSE(org.admit(ask_for(tokens(100)), at(48'599ms)).reply.admitted);
    EXPECT_TRUE(org.admit(ask_for(tokens(100)), at(48'600ms)).reply.admitted);
}

TEST(QuotaRates, scenario_7_exactly_as_many_as_the_estimates_allow) {
    Org org({scope("key", "k", {tpm(10'000)})});
    std::vector<Admission> open;
    for (int i = 0; i < 200; ++i) open.push_back(org.admit(ask_for(tokens(1'000))));
    EXPECT_EQ(std::ranges::count_if(open, [](const Admission& a) { return a.reply.admitted; }), 10);
}

TEST(QuotaRates, scenario_8_what_can_never_fit_says_so_and_reserves_nothing) {
    Org org({scope("key", "k", {rpm(10), tpm(500)})});
    const Admission denied = org.admit(ask_for(tokens(501)));
    ASSERT_FALSE(denied.reply.admitted);
    EXPECT_EQ(denied.reply.denial->wait, Duration::max());
    const Error error = denial_error(*denied.reply.denial, "", kWall);
    EXPECT_EQ(error.retry, Retry::never);
    EXPECT_EQ(error.code, "rate_limit_exceeded");
    EXPECT_EQ(error.openai_type, "tokens");
    EXPECT_EQ(error.message, "Request too large for key \"k\" (tokens per minute): limit 500, requested 501. No wait "
                             "makes it fit: ask for less.");
    EXPECT_EQ(error.details.find("retry_after"), std::string::npos) << error.details;
    EXPECT_EQ(org.remaining(0, 0), 10);
    EXPECT_EQ(org.remaining(0, 1), 500);
}

TEST(QuotaRates, scenario_9_an_unsized_request_is_clamped_to_what_the_bucket_can_hold) {
    Ask ask = ask_for({.input = 20, .output = 16'384});
    ask.open_output = OpenOutput{};
    Org strict({scope("key", "k", {tpm(500)})});
    const Admission capped = strict.admit(ask);
    ASSERT_TRUE(capped.reply.admitted);
    EXPECT_EQ(capped.reply.output_cap, 480);
    EXPECT_EQ(strict.remaining(), 0);
    Org balanced({scope("key", "k", {tpm(500, Mode::balanced)})});
    ask.expected = Estimate{.input = 20, .output = 1'024};
    const Admission guessed = balanced.admit(ask);
    ASSERT_TRUE(guessed.reply.admitted);
    EXPECT_FALSE(guessed.reply.output_cap.has_value());
    EXPECT_EQ(balanced.remaining(), 0);
    // Without any bound of the output the strict limit holds a guess, too; the input it does know.
    Ask unbounded = ask_for({.input = 20, .output = 1'024});
    unbounded.unbounded_output = unbounded.guessed_output = true;
    EXPECT_TRUE(Org({scope("key", "k", {tpm(500)})}).admit(unbounded).reply.admitted);
    unbounded.upper.input = 501;
    EXPECT_FALSE(Org({scope("key", "k", {tpm(500)})}).admit(unbounded).reply.admitted);
    unbounded.upper.input = 20;
    unbounded.unbounded_output = false;
    EXPECT_FALSE(Org({scope("key", "k", {tpm(500)})}).admit(unbounded).reply.admitted) << "1,024 is a bound";
    EXPECT_TRUE(Org({scope("key", "k", {tpm(500, Mode::balanced)})}).admit(unbounded).reply.admitted);
    Org tiny({scope("key", "k", {tpm(200)})});
    const Admission never = tiny.admit(ask);
    ASSERT_FALSE(never.reply.admitted);
    EXPECT_EQ(never.reply.denial->wait, Duration::max());
    EXPECT_EQ(never.reply.denial->requested, 20 + kSmallestCap) << "the smallest request that would have done";
}

TEST(QuotaRates, scenario_12_the_longest_wait_is_reported_and_all_are_counted) {
    Org org({scope("key", "k", {rpm(30, 1)}), scope("team", "t", {tpm(1'000)})});
    ASSERT_TRUE(org.request(ask_for(tokens(500)), tokens(1'000)));
    const Admission denied = org.admit(ask_for(tokens(500)));
    ASSERT_FALSE(denied.reply.admitted);
    EXPECT_EQ(denied.reply.violations, 2U) << "requests wait 2 s, tokens 30 s";
    EXPECT_EQ(denied.reply.denial->wait, 30s);
    EXPECT_EQ(denied.reply.denial->state.names->name, "t");
    EXPECT_EQ(denied.reply.tightest[1]->names->name, "t");
}

TEST(QuotaRates, scenario_14_edits_keep_the_usage) {
    Org org({scope("key", "k", {rpm(100)})});
    EXPECT_EQ(admitted_of(org, 50, Ask{}), 50);
    org.redefine(0, scope("key", "k", {rpm(200)}));
    EXPECT_EQ(org.remaining(), 150);
    org.redefine(0, scope("key", "k", {rpm(10)}));
    EXPECT_EQ(org.remaining(), 0);
    EXPECT_FALSE(org.admit(Ask{}).reply.admitted);
}

TEST(QuotaRates, scenario_14_a_limit_that_comes_back_remembers) {
    Org org({scope("key", "k", {rpm(100), budget(10 * kUsd)})});
    ASSERT_TRUE(org.request(ask_for(money(kUsd)), money(4 * kUsd)));
    org.redefine(0, scope("key", "k", {}));
    EXPECT_TRUE(org.admit(ask_for(money(100 * kUsd))).reply.admitted);
    org.redefine(0, scope("key", "k", {budget(10 * kUsd), rpm(100)}));
    EXPECT_EQ(org.reading(0, 0).spent, 4 * kUsd);
    EXPECT_EQ(org.remaining(0, 1), 99);
}

TEST(QuotaRates, lowering_a_limit_forgives_usage_but_no_debt_and_pays_nothing_back_twice) {
    DebtBucket bucket(100, 100, kSteady);
    bucket.charge(130, kSteady);
    bucket.reconfigure(10, 10, kSteady);
    EXPECT_EQ(bucket.used(kSteady), 40 * kToken) << "an empty bucket and the 30 of debt";
    EXPECT_EQ(bucket.forgiven(), 1U);
    Org org({scope("key", "k", {tpm(100)})});
    Admission open = org.admit(ask_for(tokens(50)));
    org.redefine(0, scope("key", "k", {tpm(10)}));
    open.reservation.settle(tokens(20), at());
    EXPECT_EQ(org.remaining(), 0);
    org.redefine(0, scope("key", "k", {tpm(100)}));
    EXPECT_EQ(org.remaining(), 90);
}

TEST(QuotaRates, a_temporary_raise_ends_at_its_instant_however_late_somebody_looks) {
    LimitSpec limit = rpm(60);
    limit.raise = Raise{.extra = 60, .until = kWall + 10s};
    Org org({scope("key", "k", {limit})});
    EXPECT_EQ(admitted_of(org, 200, Ask{}), 120);
    EXPECT_EQ(org.remaining(0, 0, at(10s)), 0) << "100 still used: the smaller bucket is empty";
    EXPECT_EQ(org.remaining(0, 0, at(40s)), 30);
    EXPECT_EQ(org.reading(0, 0, at(40s)).state.limit, 60);
}

TEST(QuotaRates, scenario_17_a_reading_of_the_past_refills_nothing_twice) {
    Org org({scope("key", "k", {rpm(60)})});
    EXPECT_EQ(admitted_of(org, 100, Ask{}, at(10s)), 60);
    EXPECT_EQ(admitted_of(org, 100, Ask{}, at(5s)), 0);
    EXPECT_EQ(admitted_of(org, 100, Ask{}, at(11s)), 1);
    EXPECT_EQ(admitted_of(org, 1'000, Ask{}, at(3'600s)), 60) << "one burst, however long the wait";
}

TEST(QuotaRates, scenario_21_absurd_usage_charges_the_reserve_and_raises_an_alarm) {
    Org org({scope("key", "k", {tpm(10'000), budget(10 * kUsd)})});
    for (const Estimate& usage : {Estimate{.input = -1}, Estimate{.output = 1'000'000'000'000'000},
                                  Estimate{.nano = -kUsd}, Estimate{.nano = kMaxNano + 1}}) {
        Admission admission = org.admit(ask_for({.input = 100, .nano = kUsd}));
        const SettleReply reply = admission.reservation.settle(usage, at());
        EXPECT_TRUE(reply.implausible);
        EXPECT_EQ(reply.outcome, Settled::settled);
    }
    EXPECT_EQ(org.remaining(), 10'000 - 400);
    EXPECT_EQ(org.reading(0, 1).spent, 4 * kUsd);
    EXPECT_THROW((void)org.admit(ask_for({.input = -1})), std::invalid_argument);
    EXPECT_EQ(org.store().totals().open, 0U);
}

TEST(QuotaRates, scenario_22_views_are_of_the_most_constrained_scope_per_dimension) {
    Org org({scope("key", "k", {rpm(60), tpm(100)}), scope("team", "t", {rpm(10), tpm(100'000)})});
    const Admission admission = org.admit(ask_for(tokens(40)));
    const LimitView requests = view_of(*admission.reply.tightest[0], kWall);
    EXPECT_EQ(requests.names->kind, "team");
    EXPECT_EQ(requests.limit, 10);
    EXPECT_EQ(requests.remaining, 9);
    EXPECT_EQ(requests.reset, 6s);
    const LimitView used = view_of(*admission.reply.tightest[1], kWall);
    EXPECT_EQ(used.names->kind, "key");
    EXPECT_EQ(used.remaining, 60);
    EXPECT_EQ(used.reset, 24s);
    EXPECT_EQ(used.next, 600ms);
    EXPECT_FALSE(admission.reply.tightest[5].has_value());
}

TEST(QuotaRates, scenario_23_before_dispatch_everything_comes_back_after_it_only_tokens_do) {
    Org org({scope("key", "k", {rpm(10), tpm(1'000), slots(5), budget(kUsd)})});
    Admission refused = org.admit(ask_for({.input = 400, .nano = kUsd}));
    EXPECT_TRUE(refused.reservation.release(at()));
    EXPECT_EQ(org.remaining(0, 0), 10);
    EXPECT_EQ(org.remaining(0, 1), 1'000);
    EXPECT_EQ(org.remaining(0, 3), kUsd);
    Admission failed = org.admit(ask_for({.input = 400, .nano = kUsd}));
    failed.reservation.settle(Estimate{}, at());
    EXPECT_EQ(org.remaining(0, 0), 9);
    EXPECT_EQ(org.remaining(0, 1), 1'000);
    EXPECT_EQ(org.remaining(0, 2), 5);
    EXPECT_EQ(org.remaining(0, 3), kUsd);
}

TEST(QuotaRates, peek_decides_and_takes_nothing) {
    Org org({scope("key", "k", {rpm(1), budget(kUsd)})});
    EXPECT_TRUE(Engine::peek(org.handles, Ask::minimal(), at()).admitted);
    EXPECT_EQ(org.remaining(), 1);
    ASSERT_TRUE(org.request(ask_for(money(kUsd)), money(kUsd)));
    const AdmitReply denied = Engine::peek(org.handles, Ask::minimal(), at());
    EXPECT_EQ(denied.violations, 2U);
    EXPECT_EQ(denied.denial->state.dimension, Dimension::money);
    EXPECT_TRUE(Engine::peek(org.handles, Ask::request_only(), at(60s)).admitted) << "a hit costs no money";
}

TEST(QuotaRates, shadow_counts_what_it_would_have_denied_and_is_not_announced) {
    LimitSpec limit = rpm(2);
    limit.shadow = true;
    Org org({scope("key", "k", {limit})});
    EXPECT_EQ(admitted_of(org, 5, Ask{}), 5);
    EXPECT_EQ(org.reading().would_deny, 3U);
    const Admission admission = org.admit(Ask{});
    EXPECT_TRUE(admission.reply.shadow_exceeded);
    EXPECT_FALSE(admission.reply.tightest[0].has_value());
}

TEST(QuotaRates, pairs_and_input_and_output_are_limits_like_any_other) {
    ScopeSpec pair = pair_scope("team", "search", "gpt-4o");
    pair.limits = {{.dimension = Dimension::input_tokens, .limit = 100},
                   {.dimension = Dimension::output_tokens, .limit = 50}};
    Org org({pair});
    EXPECT_TRUE(org.request(ask_for({.input = 100, .output = 40}), {.input = 100, .output = 40}));
    const Admission denied = org.admit(ask_for({.input = 0, .output = 20}));
    ASSERT_FALSE(denied.reply.admitted);
    const Error error = denial_error(*denied.reply.denial, "", kWall);
    EXPECT_EQ(error.message, "Rate limit reached for team:search|model:gpt-4o (output tokens per minute): limit 50, "
                             "used 40, requested 20. Please try again in 12s.");
    EXPECT_EQ(error.details, R"("scope":"team|model","scope_name":"team:search|model:gpt-4o","limit":"output_tpm",)"
                             R"("limit_value":50,"remaining":10,"requested":20,"retry_after_ms":12000)");
}

TEST(QuotaRates, a_scope_may_have_many_limits_and_few_again) {
    std::vector<LimitSpec> limits;
    for (int i = 0; i < 12; ++i) {
        limits.push_back(rpm(10 + i));
        limits.back().window = "w" + std::to_string(i);
    }
    Org org({scope("key", "k", limits)});
    EXPECT_EQ(admitted_of(org, 30, Ask{}), 10);
    limits.erase(limits.begin(), limits.begin() + 9);
    org.redefine(0, scope("key", "k", limits));
    EXPECT_EQ(org.remaining(0, 0), 9);
    EXPECT_EQ(admitted_of(org, 30, Ask{}), 9);
}

TEST(QuotaRates, nonsense_is_refused_at_load_with_nothing_changed) {
    Engine engine;
    EXPECT_THROW((void)engine.define("o", scope("key", "k", {rpm(0)}), at()), std::invalid_argument);
    EXPECT_THROW((void)engine.define("o", scope("key", "k", {rpm(1, 0)}), at()), std::invalid_argument);
    EXPECT_THROW((void)engine.define("o", scope("key", "k", {rpm(kMaxRate + 1)}), at()), std::invalid_argument);
    EXPECT_THROW((void)engine.define("o", scope("key", "k", {budget(-1)}), at()), std::invalid_argument);
    EXPECT_THROW((void)engine.define("o", scope("key", "k", {budget(1, Mode::strict, "day", nullptr)}), at()),
                 std::invalid_argument);
    EXPECT_THROW((void)engine.define("o", scope("key", "k", {rpm(1), rpm(2)}), at()), std::invalid_argument);
    const std::vector<ScopeHandle> mixed{engine.define("a", scope("key", "k", {rpm(1)}), at()),
                                         engine.define("b", scope("key", "k", {rpm(1)}), at())};
    EXPECT_THROW((void)Engine::admit({.id = ReservationId("r"), .scopes = mixed, .now = at()}), std::invalid_argument);
    EXPECT_TRUE(Engine::admit({.id = ReservationId("r"), .now = at()}).reply.admitted) << "no scope, no limit";
}

} // namespace
} // namespace tollgate::policy::quota
