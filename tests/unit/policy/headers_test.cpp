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

LimitView view() {
    return {.scope_kind = "key", .scope_name = "k_demo", .limit = 60, .remaining = 12, .reset = 6min, .next = 4200ms};
}

TEST(LimitHeaders, scenario_22_all_five_lines_of_the_tightest_scope) {
    std::string out = "x: y\r\n";
    append_limit_headers(out, view(), 6min);
    EXPECT_EQ(out, "x: y\r\n"
                   "x-ratelimit-limit-requests: 60\r\n"
                   "x-ratelimit-remaining-requests: 12\r\n"
                   "x-ratelimit-reset-requests: 6m0s\r\n"
                   "ratelimit-policy: \"key-rpm\";q=60;w=60\r\n"
                   "ratelimit: \"key-rpm\";r=12;t=5\r\n");
}

TEST(LimitHeaders, reset_is_the_callers) {
    std::string out;
    append_limit_headers(out, view(), 250ms);
    EXPECT_NE(out.find("x-ratelimit-reset-requests: 250ms\r\n"), std::string::npos) << out;
}

TEST(LimitHeaders, largest_numbers_are_whole) {
    LimitView largest = view();
    largest.scope_kind = "team";
    largest.limit = largest.remaining = ~std::uint64_t{0};
    largest.next = Duration::max();
    std::string out;
    append_limit_headers(out, largest, Duration::max());
    EXPECT_NE(out.find("ratelimit-policy: \"team-rpm\";q=18446744073709551615;w=60\r\n"), std::string::npos) << out;
    EXPECT_NE(out.find("ratelimit: \"team-rpm\";r=18446744073709551615;t=9223372037\r\n"), std::string::npos) << out;
}

TEST(LimitHeaders, enough_room_means_no_reallocation) {
    std::string out;
    out.reserve(512);
    const char* const before = out.data();
    append_limit_headers(out, view(), 6min);
    EXPECT_EQ(out.data(), before);
}

} // namespace
} // namespace tollgate::policy
