#include "policy/scope_specs.hpp"

#include "config/load.hpp"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

namespace tollgate::policy {
namespace {

using namespace std::chrono_literals;
using quota::Dimension;
using quota::Mode;
using std::chrono::sys_days;
using std::chrono::year;

constexpr std::string_view kBase = R"(version: 1
providers:
  p: { base_url: "https://api.example.com/v1", api_keys: [ "none" ] }
models:
  m: { upstreams: [ { provider: p } ] }
)";

config::Config loaded(const std::string& more) {
    auto out = config::load_text(std::string(kBase) + more, "gw.yaml", [](const std::string&) { return std::nullopt; });
    for (const auto& d : out.diagnostics) ADD_FAILURE() << d.code << ' ' << d.message;
    return out.config.value_or(config::Config{});
}

std::string refusal_of(const std::string& more) {
    const config::Config config = loaded(more);
    try {
        check_scopes(config);
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "nothing was thrown";
}

TEST(ScopeSpecs, every_limit_of_a_team_reaches_its_dimension) {
    const config::Config config = loaded(
        "teams: { t: { contact: \"#t\", limits: { rpm: { limit: 60, burst: 7, raise: { by: 5, until: 2027-01-01 } },\n"
        "  tpm: { limit: 400k, mode: balanced }, input_tpm: { limit: 5, shadow: true }, output_tpm: { limit: 6, "
        "on_exhausted: cut },\n"
        "  concurrency: { limit: 40, mode: soft } } } }\n");
    const quota::ScopeSpec scope = team_scope(config, "t");
    EXPECT_EQ(scope.kind + " " + scope.name + " " + scope.contact, "team t #t");
    ASSERT_EQ(scope.limits.size(), 5U);
    const auto& requests = scope.limits[0];
    EXPECT_EQ(requests.dimension, Dimension::requests);
    EXPECT_EQ(requests.window, "minute");
    EXPECT_EQ(requests.limit, 60);
    EXPECT_EQ(requests.burst, 7);
    EXPECT_EQ(requests.raise->extra, 5);
    EXPECT_EQ(requests.raise->until, WallTime(sys_days(year(2027) / 1 / 1)));
    EXPECT_EQ(scope.limits[1].dimension, Dimension::tokens);
    EXPECT_EQ(scope.limits[1].limit, 400'000);
    EXPECT_EQ(scope.limits[1].mode, Mode::balanced);
    EXPECT_EQ(scope.limits[2].dimension, Dimension::input_tokens);
    EXPECT_TRUE(scope.limits[2].shadow);
    EXPECT_FALSE(scope.limits[2].cut);
    EXPECT_EQ(scope.limits[3].dimension, Dimension::output_tokens);
    EXPECT_TRUE(scope.limits[3].cut);
    EXPECT_EQ(scope.limits[4].dimension, Dimension::concurrency);
    EXPECT_EQ(scope.limits[4].mode, Mode::soft);
    EXPECT_EQ(scope.limits[4].window, "");
}

TEST(ScopeSpecs, what_is_not_written_has_no_limit) {
    const config::Config config = loaded("");
    EXPECT_TRUE(team_scope(config, "default").limits.empty());
    EXPECT_TRUE(team_scope(config, "gone").limits.empty());
    EXPECT_EQ(org_scope(config, "").name, "default");
    EXPECT_TRUE(model_scope(config, config.models.at("m")).limits.empty());
    EXPECT_TRUE(org_pairs(config, "default").empty());
    EXPECT_FALSE(crosses_orgs(config));
}

TEST(ScopeSpecs, a_model_with_a_limit_or_a_budget_crosses_the_orgs) {
    const std::string model = "  n: { upstreams: [ { provider: p } ], ";
    EXPECT_TRUE(crosses_orgs(loaded(model + "limits: { output_tpm: 5 } }\n")));
    EXPECT_TRUE(crosses_orgs(loaded(model + "budget: { usd: 1, per: day } }\n")));
    EXPECT_FALSE(crosses_orgs(loaded(model + "max_output: 5 }\norgs: { o: { limits: { rpm: 5 } } }\n")));
}

TEST(ScopeSpecs, pairs_have_the_names_of_both) {
    const std::string share = "per_model: { m: { limits: { rpm: 5 }, budget: { usd: 1, per: day } } }";
    const config::Config config = loaded("orgs: { o: { " + share + " } }\nteams: { t: { contact: c, " + share +
                                         " } }\nkeys: [ { id: k, team: t, secret: abc-def, " + share + " } ]\n");
    EXPECT_EQ(org_pairs(config, "o").at("m").name, "org:o|model:m");
    EXPECT_EQ(team_pairs(config, "t").at("m").kind, "team|model");
    const quota::ScopeSpec key = key_pairs(config, config.keys.at(0)).at("m");
    EXPECT_EQ(key.name, "key:k|model:m");
    EXPECT_EQ(key.contact, "c");
    EXPECT_EQ(key.limits.size(), 2U);
    EXPECT_EQ(key_scope(config, config.keys.at(0)).contact, "c");
}

TEST(ScopeSpecs, budgets_of_one_scope_have_windows_of_their_own) {
    const config::Config config =
        loaded("teams: { t: { budget: [ { usd: 1, per: day }, { usd: 1, per: day, timezone: Asia/Tokyo },\n"
               "  { usd: 1, per: month, timezone: Europe/Berlin }, { usd: 1, per: month, anchor_day: 15 },\n"
               "  { usd: 1, per: week }, { usd: 1, per: week, week_start: sunday }, { usd: 1, per: hour },\n"
               "  { usd: 1, per: quarter }, { usd: 1, per: year }, { usd: 1, per: rolling, window: 7d },\n"
               "  { usd: 1, per: rolling, window: 90m }, { usd: 1, per: lifetime } ] } }\n");
    const quota::ScopeSpec scope = team_scope(config, "t");
    std::vector<std::string> windows;
    for (const auto& limit : scope.limits) windows.push_back(limit.window);
    const std::vector<std::string> want = {"day@UTC",      "day@Asia/Tokyo", "month@Europe/Berlin",
                                           "month/15@UTC", "week@UTC",       "week/sunday@UTC",
                                           "hour@UTC",     "quarter@UTC",    "year@UTC",
                                           "rolling/7d",   "rolling/90m",    "lifetime"};
    EXPECT_EQ(windows, want);
    const WallTime now = sys_days(year(2026) / 11 / 24) + 3h;
    std::set<std::string> ids;
    for (const auto& limit : scope.limits) {
        const quota::Period period = limit.period->at(now);
        EXPECT_TRUE(period.contains(now)) << limit.window;
        EXPECT_TRUE(ids.insert(period.id).second) << period.id;
    }
}

TEST(ScopeSpecs, a_month_of_a_zone_ends_at_its_own_midnight) {
    const config::Config config = loaded("teams: { t: { budget: { usd: \"0.000000001\", per: month, mode: last_call,\n"
                                         "  timezone: Europe/Berlin, raise: { by: 2, until: 2026-12-01 } } } }\n");
    const quota::LimitSpec budget = team_scope(config, "t").limits.at(0);
    EXPECT_EQ(budget.dimension, Dimension::money);
    EXPECT_EQ(budget.limit, 1);
    EXPECT_EQ(budget.mode, Mode::last_call);
    EXPECT_EQ(budget.raise->extra, 2'000'000'000);
    const quota::Period period = budget.period->at(sys_days(year(2026) / 10 / 15));
    EXPECT_EQ(period.begin, WallTime(sys_days(year(2026) / 9 / 30) + 22h)); // summer time
    EXPECT_EQ(period.end, WallTime(sys_days(year(2026) / 10 / 31) + 23h));  // winter time
    EXPECT_FALSE(period.rolling());
}

// What is spent counts for the window at least, and for at most a 24th longer.
TEST(ScopeSpecs, a_rolling_part_counts_for_the_whole_window_after_it) {
    const config::Config config = loaded("teams: { t: { budget: { usd: 1, per: rolling, window: 1d } } }\n");
    const quota::Period part = team_scope(config, "t").limits.at(0).period->at(sys_days(year(2026) / 11 / 24) + 30min);
    EXPECT_TRUE(part.rolling());
    EXPECT_EQ(part.end - part.begin, 1h);
    EXPECT_EQ(part.counted_until, part.end + 24h);
}

TEST(ScopeSpecs, an_unknown_zone_is_refused_at_its_place) {
    const std::string said = refusal_of("teams:\n  t:\n    budget: { usd: 1, per: day, timezone: Europe/Berlni }\n");
    EXPECT_TRUE(said.starts_with("gw.yaml:8:43: `Europe/Berlni` is not the IANA name of a time zone")) << said;
    EXPECT_NE(said.find("Europe/Berlin"), std::string::npos) << said;
    for (const char* const place : {"orgs: { o: { per_model: { m: ", "teams: { t: { per_model: { m: "}) {
        const std::string nested =
            refusal_of(std::string(place) + "{ budget: { usd: 1, per: day, timezone: CEST } } } } }\n");
        EXPECT_TRUE(nested.starts_with("gw.yaml:6:")) << nested;
    }
}

TEST(ScopeSpecs, a_sum_beyond_the_largest_limit_is_refused_at_its_place) {
    const std::string said =
        refusal_of("teams: { t: { budget: { usd: 1000000000, per: day, raise: { by: 1, until: 9999-12-31 } } } }\n");
    EXPECT_TRUE(said.starts_with("gw.yaml:6:15: ")) << said;
    EXPECT_NE(said.find("raise out of range"), std::string::npos) << said;
}

TEST(ScopeSpecs, a_raise_beyond_the_end_of_the_clock_lasts_until_it) {
    const config::Config config =
        loaded("teams: { t: { limits: { rpm: { limit: 1, raise: { by: 1, until: 9999-12-31 } } } } }\n");
    EXPECT_GT(team_scope(config, "t").limits.at(0).raise->until, WallTime(sys_days(year(2262) / 1 / 1)));
}

} // namespace
} // namespace tollgate::policy
