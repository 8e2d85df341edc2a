#include "fixture.hpp"

#include <gtest/gtest.h>

namespace tollgate::config::test {
namespace {

using namespace std::chrono_literals;
using std::chrono::December;
using std::chrono::sys_days;
using std::chrono::year;

Config loaded_with(std::string_view more) {
    const Loaded out = load_with(more);
    EXPECT_TRUE(out.config.has_value()) << more << listing(out);
    EXPECT_TRUE(out.diagnostics.empty()) << listing(out);
    return out.config.value_or(Config{});
}

Budget budget_of(std::string_view text) {
    const Config config = loaded_with("teams: { t: { budget: " + std::string(text) + " } }\n");
    const Team& team = config.teams.at("t");
    EXPECT_EQ(team.budgets.size(), 1U) << text;
    return team.budgets.empty() ? Budget{} : team.budgets[0];
}

TEST(Limits, a_number_is_the_limit_of_a_map) {
    const Config config = loaded_with("teams:\n"
                                      "  a: { limits: { rpm: 600, tpm: 400k, concurrency: 40 } }\n"
                                      "  b: { limits: { rpm: { limit: 600 }, tpm: { limit: 400k },\n"
                                      "                 concurrency: { limit: 40 } } }\n");
    for (const char* const name : {"a", "b"}) {
        const Limits& limits = config.teams.at(name).limits;
        EXPECT_EQ(limits.rpm->amount, 600U);
        EXPECT_EQ(limits.tpm->amount, 400'000U);
        EXPECT_EQ(limits.concurrency->amount, 40U);
        EXPECT_FALSE(limits.input_tpm || limits.output_tpm || limits.rpm->burst || limits.rpm->raise);
        EXPECT_EQ(limits.rpm->mode, LimitMode::strict);
        EXPECT_FALSE(limits.rpm->shadow);
    }
    EXPECT_EQ(config.teams.at("a").limits.tpm->mark.line, 7);
    EXPECT_EQ(config.teams.at("a").limits.tpm->mark.column, 33);
    EXPECT_EQ(config.teams.at("b").limits.tpm->mark.column, 39);
}

TEST(Limits, every_key_of_a_limit_reaches_its_field) {
    const Config config = loaded_with(
        "orgs: { o: { limits: {\n"
        "  rpm: { limit: 10, burst: 20, mode: soft, shadow: true,\n"
        "         raise: { by: 5, until: 2026-12-01T00:00:00Z } },\n"
        "  input_tpm: { limit: 1M, mode: balanced }, output_tpm: 7,\n"
        "  concurrency: { limit: 3, mode: soft, shadow: true, raise: { by: 2, until: 2026-12-01 } } } } }\n");
    const Limits& limits = config.orgs.at("o").limits;
    EXPECT_EQ(limits.rpm->burst, 20U);
    EXPECT_EQ(limits.rpm->mode, LimitMode::soft);
    EXPECT_TRUE(limits.rpm->shadow);
    EXPECT_EQ(limits.rpm->raise->by, 5U);
    EXPECT_EQ(limits.rpm->raise->until, sys_days(year(2026) / December / 1));
    EXPECT_EQ(limits.input_tpm->amount, 1'000'000U);
    EXPECT_EQ(limits.input_tpm->mode, LimitMode::balanced);
    EXPECT_EQ(limits.output_tpm->amount, 7U);
    EXPECT_TRUE(limits.concurrency->shadow);
    EXPECT_EQ(limits.concurrency->raise->by, 2U);
}

TEST(Limits, the_sibling_burst_is_that_of_requests) {
    const Config config = loaded_with("teams: { t: { limits: { rpm: { limit: 10, shadow: true }, burst: 3 } } }\n");
    EXPECT_EQ(config.teams.at("t").limits.rpm->burst, 3U);
    EXPECT_TRUE(config.teams.at("t").limits.rpm->shadow);
}

TEST(Limits, models_have_limits_budgets_and_sizes) {
    const Config config = loaded_with("  n: { upstreams: [ { provider: p } ], max_output: 16384, context: 128k,\n"
                                      "       limits: { tpm: 5 }, budget: { usd: 1, per: hour } }\n");
    const Model& model = config.models.at("n");
    EXPECT_EQ(model.max_output, 16'384U);
    EXPECT_EQ(model.context, 128'000U);
    EXPECT_EQ(model.limits.tpm->amount, 5U);
    EXPECT_EQ(model.budgets.at(0).per, Per::hour);
}

TEST(Limits, shares_are_limits_and_budgets_of_one_model) {
    const std::string share = "per_model: { m: { limits: { rpm: 5 }, budget: { usd: 1, per: day } } }";
    const Config config = loaded_with("orgs: { o: { " + share + " } }\nteams: { t: { " + share +
                                      " } }\nkeys: [ { id: k, secret: abc-def, " + share + " } ]\n");
    for (const ModelShares& shares :
         {config.orgs.at("o").per_model, config.teams.at("t").per_model, config.keys.at(0).per_model}) {
        ASSERT_EQ(shares.size(), 1U);
        EXPECT_EQ(shares.at("m").limits.rpm->amount, 5U);
        EXPECT_EQ(shares.at("m").budgets.at(0).nano, 1'000'000'000);
    }
    EXPECT_EQ(config.orgs.at("o").per_model.at("m").mark.line, 6);
}

TEST(Budgets, every_key_reaches_its_field) {
    const Budget month = budget_of("{ usd: \"2000.000000001\", per: month, timezone: Europe/Berlin, anchor_day: 15,\n"
                                   "  mode: last_call, shadow: true, on_exhausted: finish,\n"
                                   "  raise: { by: 0.5, until: 2026-12-01 } }");
    EXPECT_EQ(month.nano, 2'000'000'000'001);
    EXPECT_EQ(month.per, Per::month);
    EXPECT_EQ(month.timezone, "Europe/Berlin");
    EXPECT_EQ(month.anchor_day, 15U);
    EXPECT_EQ(month.mode, LimitMode::last_call);
    EXPECT_TRUE(month.shadow);
    EXPECT_EQ(month.on_exhausted, OnExhausted::finish);
    EXPECT_EQ(month.raise->nano, 500'000'000);
    EXPECT_EQ(month.raise->until, sys_days(year(2026) / December / 1));
    EXPECT_EQ(month.mark.line, 6);
    EXPECT_EQ(month.timezone_mark.column, 70);
    const Budget week = budget_of("{ usd: 5, per: week, week_start: sunday }");
    EXPECT_EQ(week.week_start, std::chrono::Sunday);
    EXPECT_EQ(week.timezone, "UTC");
    EXPECT_EQ(week.mode, LimitMode::strict);
    EXPECT_EQ(week.on_exhausted, OnExhausted::finish);
    EXPECT_EQ(budget_of("{ usd: 5, per: day, on_exhausted: cut }").on_exhausted, OnExhausted::cut);
    EXPECT_EQ(budget_of("{ usd: 5, per: rolling, window: 7d }").window, 168h);
    EXPECT_EQ(budget_of("{ usd: 0, per: lifetime }").per, Per::lifetime);
}

// The text of the number counts, not its nearest binary fraction.
TEST(Budgets, quoted_and_bare_amounts_are_the_same_and_exact) {
    for (const char* const text : {"0.1", "\"0.1\"", "0.10", "'0.100'"})
        EXPECT_EQ(budget_of("{ usd: " + std::string(text) + ", per: day }").nano, 100'000'000) << text;
    EXPECT_EQ(budget_of("{ usd: 1000000000, per: day }").nano, 1'000'000'000'000'000'000);
    EXPECT_EQ(budget_of("{ usd: \"${env:RPM}\", per: day }").nano, 600'000'000'000);
}

TEST(Budgets, several_periods_of_one_scope_are_a_list) {
    const Config config =
        loaded_with("teams: { t: { budget: [ { usd: 5, per: day }, { usd: 9, per: day, timezone: Asia/Tokyo },\n"
                    "                        { usd: 50, per: month }, { usd: 60, per: month, anchor_day: 2 } ] } }\n");
    ASSERT_EQ(config.teams.at("t").budgets.size(), 4U);
    EXPECT_EQ(config.teams.at("t").budgets[3].nano, 60'000'000'000);
}

TEST(PriceCards, classes_tiers_and_dates_reach_their_fields) {
    const Config config = loaded_with(
        "  n: { upstreams: [ { provider: p } ], price: [\n"
        "    { input: \"0.15\", cached_input: 0.075, output: 0.60, image: 0.04, request: 0 },\n"
        "    { from: 2026-12-01, input: 1, cache_write: 2, audio_in: 3, image_in: 4, output: 5, reasoning: 6,\n"
        "      audio_out: 7, audio_second: 8, tool_call: 9, tiers: [ { above: 200k, input: 10, output: 11 } ] } ] }\n");
    const std::vector<PriceCard>& cards = config.models.at("n").prices;
    ASSERT_EQ(cards.size(), 2U);
    EXPECT_FALSE(cards[0].from);
    EXPECT_EQ(cards[0].rates, (PriceRates{{"input", 150'000},
                                          {"cached_input", 75'000},
                                          {"output", 600'000},
                                          {"image", 40'000'000'000},
                                          {"request", 0}}));
    EXPECT_EQ(cards[1].from, sys_days(year(2026) / December / 1));
    EXPECT_EQ(cards[1].rates.size(), 9U);
    EXPECT_EQ(cards[1].rates.at("tool_call"), 9'000'000'000'000);
    ASSERT_EQ(cards[1].tiers.size(), 1U);
    EXPECT_EQ(cards[1].tiers[0].above, 200'000U);
    EXPECT_EQ(cards[1].tiers[0].rates, (PriceRates{{"input", 10'000'000}, {"output", 11'000'000}}));
    EXPECT_EQ(cards[1].mark.line, 8);
}

TEST(PriceCards, a_lone_map_is_a_list_of_one) {
    const Config config = loaded_with("  n: { upstreams: [ { provider: p } ], price: { input: 1 } }\n");
    ASSERT_EQ(config.models.at("n").prices.size(), 1U);
    EXPECT_EQ(config.models.at("n").prices[0].rates.at("input"), 1'000'000);
}

} // namespace
} // namespace tollgate::config::test
