#include "config/money.hpp"

#include <gtest/gtest.h>

#include <random>

namespace tollgate::config {
namespace {

TEST(Usd, is_read_exactly) {
    EXPECT_EQ(parse_usd("2000"), 2'000'000'000'000);
    EXPECT_EQ(parse_usd("0"), 0);
    EXPECT_EQ(parse_usd("0.000"), 0);
    EXPECT_EQ(parse_usd("0.1"), 100'000'000);
    EXPECT_EQ(parse_usd("0.000000001"), 1);
    EXPECT_EQ(parse_usd("0.100000000000"), 100'000'000) << "zeros at the end say nothing";
    EXPECT_EQ(parse_usd("007.50"), 7'500'000'000);
    EXPECT_EQ(parse_usd("9223372036.854775807"), INT64_MAX);
    // Doubles would give …992 for the first and …808 for the second.
    EXPECT_EQ(parse_usd("9007199.254740993"), 9'007'199'254'740'993);
    EXPECT_EQ(parse_usd("9100000.000000001"), 9'100'000'000'000'001);
}

TEST(Usd, what_is_not_an_amount_is_refused_with_a_hint) {
    struct Case {
        std::string_view text, hint;
    };
    for (const auto& [text, hint] : std::initializer_list<Case>{
             {"", "US dollars as a decimal number, as in 2000 or 0.15"},
             {"-1", "an amount of money is not negative"},
             {"$5", "the number only, without a currency or spaces"},
             {"5 USD", "the number only, without a currency or spaces"},
             {"1,000", "no separators between digits; the decimal sign is a point"},
             {"1_000", "no separators between digits; the decimal sign is a point"},
             {"2k", "write the number out, without k or M"},
             {"1e3", "write the number out, without an exponent"},
             {".5", "a digit stands before the decimal point"},
             {"5.", "a digit stands after the decimal point"},
             {"+5", "digits, then possibly a point and decimal places"},
             {"1.2.3", "digits, then possibly a point and decimal places"},
             {"nan", "digits, then possibly a point and decimal places"},
             {"0.0000000001", "at most nine decimal places: money is counted in billionths of a dollar"},
             {"9223372036.854775808", "too large"},
             {"99999999999999999999999999", "too large"},
         }) {
        const auto parsed = parse_usd(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error(), hint) << text;
    }
    EXPECT_FALSE(parse_usd(std::string(65, '1')));
}

TEST(UsdPerMillion, is_pico_per_token) {
    EXPECT_EQ(parse_usd_per_million("0.15"), 150'000);
    EXPECT_EQ(parse_usd_per_million("0.075"), 75'000);
    EXPECT_EQ(parse_usd_per_million("0.0125"), 12'500);
    EXPECT_EQ(parse_usd_per_million("0.000001"), 1);
    EXPECT_EQ(parse_usd_per_million("120"), 120'000'000);
    EXPECT_EQ(parse_usd_per_million("0.0000001").error(), "at most six decimal places for a price per million tokens");
    EXPECT_EQ(parse_usd_per_million("9223372036854.775808").error(), "too large");
}

TEST(UsdEach, is_pico_per_unit) {
    EXPECT_EQ(parse_usd_each("0.04"), 40'000'000'000);
    EXPECT_EQ(parse_usd_each("0.000000000001"), 1);
    EXPECT_FALSE(parse_usd_each("0.0000000000001"));
}

TEST(JsonUsdEach, scientific_notation_is_read_from_its_text) {
    EXPECT_EQ(parse_json_usd_each("1.5e-07"), (PicoUsd{150'000, false}));
    EXPECT_EQ(parse_json_usd_each("1.5E-7"), (PicoUsd{150'000, false}));
    EXPECT_EQ(parse_json_usd_each("0.00000015"), (PicoUsd{150'000, false}));
    EXPECT_EQ(parse_json_usd_each("0"), (PicoUsd{0, false}));
    EXPECT_EQ(parse_json_usd_each("0.0e+5"), (PicoUsd{0, false}));
    EXPECT_EQ(parse_json_usd_each("2e0"), (PicoUsd{2'000'000'000'000, false}));
    EXPECT_EQ(parse_json_usd_each("1e+3"), (PicoUsd{1'000'000'000'000'000, false}));
    EXPECT_EQ(parse_json_usd_each("1.9999999999999998e-07"), (PicoUsd{200'000, true})) << "a double's debris";
    EXPECT_EQ(parse_json_usd_each("1e-13"), (PicoUsd{1, true})) << "never free";
    EXPECT_EQ(parse_json_usd_each("1e-1000"), (PicoUsd{1, true}));
    for (const char* bad :
         {"", "-1e-7", "1e", "1e+", ".5", "5.", "01", "+1", "0x1", "1e1001", "1e9", "NaN", "1 ", "1e-7f"})
        EXPECT_FALSE(parse_json_usd_each(bad)) << bad;
}

TEST(Usd, every_amount_survives_being_written) {
    std::mt19937_64 random(7);
    for (int i = 0; i < 100'000; ++i) {
        const auto nano = static_cast<std::int64_t>(random() >> (1 + random() % 62));
        std::string fraction = std::to_string(nano % 1'000'000'000);
        fraction.insert(0, 9 - fraction.size(), '0');
        const std::string text = std::to_string(nano / 1'000'000'000) + "." + fraction;
        ASSERT_EQ(parse_usd(text), nano) << text;
    }
}

} // namespace
} // namespace tollgate::config
