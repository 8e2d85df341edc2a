#include "policy/headers.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <regex>
#include <string>
#include <utility>
#include <vector>

namespace tollgate::policy {
namespace {

using namespace std::chrono_literals;

std::string go(Duration duration) {
    std::string out;
    append_go_duration(out, duration);
    return out;
}

TEST(GoDuration, known_values_print_as_go_prints_them) {
    const std::vector<std::pair<Duration, std::string>> cases{
        {0ns, "0s"},
        {6ms, "6ms"},
        {174ms, "174ms"},
        {999ms, "999ms"},
        {1s, "1s"},
        {1200ms, "1.2s"},
        {8640ms, "8.64s"},
        {9816ms, "9.816s"},
        {17500ms, "17.5s"},
        {1005ms, "1.005s"},
        {59999ms, "59.999s"},
        {60s, "1m0s"},
        {6min, "6m0s"},
        {61500ms, "1m1.5s"},
        {1h, "1h0m0s"},
        {1h + 2min + 3s, "1h2m3s"},
        {26h + 10ms, "26h0m0.01s"},
    };
    for (const auto& [duration, text] : cases) EXPECT_EQ(go(duration), text) << duration.count() << " ns";
}

TEST(GoDuration, parts_of_a_millisecond_round_up) {
    EXPECT_EQ(go(1ns), "1ms");
    EXPECT_EQ(go(1s - 1ns), "1s");
    EXPECT_EQ(go(60s - 1ns), "1m0s");
}

TEST(GoDuration, negative_is_zero_and_the_longest_is_finite) {
    EXPECT_EQ(go(-5s), "0s");
    EXPECT_TRUE(std::regex_match(go(Duration::max()), std::regex(R"(\d+h\d+m\d+(\.\d+)?s)"))) << go(Duration::max());
}

using quota::Dimension;

const quota::LimitNames kKey{"key", "k_demo", "minute"};
const quota::LimitNames kTeam{"team", "search", "minute"};

quota::LimitView requests() {
    return {
        .names = &kKey, .dimension = Dimension::requests, .limit = 60, .remaining = 12, .reset = 6min, .next = 4200ms};
}

ToldLimits told(std::initializer_list<quota::LimitView> views) {
    ToldLimits limits;
    for (const quota::LimitView& view : views) limits.views[limits.count++] = view;
    limits.at = std::chrono::sys_days(std::chrono::year(2026) / 11 / 30) + 23h + 59min + 58s + 1ms;
    return limits;
}

TEST(LimitHeaders, scenario_22_all_lines_of_the_tightest_scope) {
    std::string out = "x: y\r\n";
    append_limit_headers(out, told({requests()}));
    EXPECT_EQ(out, "x: y\r\n"
                   "x-ratelimit-limit-requests: 60\r\n"
                   "x-ratelimit-remaining-requests: 12\r\n"
                   "x-ratelimit-reset-requests: 6m0s\r\n"
                   "anthropic-ratelimit-requests-limit: 60\r\n"
                   "anthropic-ratelimit-requests-remaining: 12\r\n"
                   "anthropic-ratelimit-requests-reset: 2026-12-01T00:05:59Z\r\n"
                   "ratelimit-policy: \"key-rpm\";q=60;w=60\r\n"
                   "ratelimit: \"key-rpm\";r=12;t=5\r\n");
}

TEST(LimitHeaders, tokens_have_openais_names_and_a_budget_is_in_whole_dollars) {
    std::string out;
    append_limit_headers(
        out,
        told({requests(),
              {.names = &kTeam, .dimension = Dimension::input_tokens, .limit = 400'000, .remaining = 0, .reset = 1s},
              {.names = &kTeam,
               .dimension = Dimension::money,
               .limit = 2'000'000'000'000,
               .remaining = 999'999'999,
               .reset = 86'112s}}));
    EXPECT_NE(out.find("x-ratelimit-limit-tokens: 400000\r\nx-ratelimit-remaining-tokens: 0\r\n"
                       "x-ratelimit-reset-tokens: 1s\r\nanthropic-ratelimit-tokens-limit: 400000\r\n"
                       "anthropic-ratelimit-tokens-remaining: 0\r\n"
                       "anthropic-ratelimit-tokens-reset: 2026-12-01T00:00:00Z\r\n"),
              std::string::npos)
        << out;
    EXPECT_NE(out.find("ratelimit-policy: \"key-rpm\";q=60;w=60, \"team-input_tpm\";q=400000;w=60, "
                       "\"team-budget\";q=2000\r\n"
                       "ratelimit: \"key-rpm\";r=12;t=5, \"team-input_tpm\";r=0;t=0, \"team-budget\";r=0;t=86112\r\n"),
              std::string::npos)
        << out;
}

TEST(LimitHeaders, budget_without_an_end_names_none) {
    std::string out;
    append_limit_headers(
        out, told({{.names = &kTeam, .dimension = Dimension::money, .limit = 1, .reset = Duration::max()}}));
    EXPECT_EQ(out, "ratelimit-policy: \"team-budget\";q=0\r\nratelimit: \"team-budget\";r=0\r\n");
}

TEST(LimitHeaders, without_limits_there_is_no_line) {
    std::string out;
    append_limit_headers(out, {});
    EXPECT_EQ(out, "");
}

TEST(LimitHeaders, enough_room_means_no_reallocation) {
    std::string out;
    out.reserve(512);
    const char* const before = out.data();
    append_limit_headers(out, told({requests()}));
    EXPECT_EQ(out.data(), before);
}

TEST(ToldLimits, after_a_denial_its_own_limit_is_told) {
    const auto state = [](const quota::LimitNames& names, quota::Wide used) {
        return quota::CounterState{.names = &names, .limit = 10, .capacity = 10, .used = used};
    };
    quota::AdmitReply reply;
    reply.tightest[0] = state(kTeam, 9 * 60'000'000'000LL);
    EXPECT_EQ(told_limits(reply, {}).views[0].names, &kTeam);
    reply.admitted = false;
    reply.denial.emplace();
    reply.denial->state = state(kKey, 0);
    const ToldLimits limits = told_limits(reply, {});
    ASSERT_EQ(limits.count, 1U);
    EXPECT_EQ(limits.views[0].names, &kKey);
}

} // namespace
} // namespace tollgate::policy
