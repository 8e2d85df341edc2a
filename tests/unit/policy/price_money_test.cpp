#include "policy/price/money.hpp"

#include "config/money.hpp"

#include <gtest/gtest.h>

#include <random>

namespace tollgate::policy {
namespace {

TEST(Money, sums_are_checked_or_stop_at_the_end) {
    EXPECT_EQ(checked_add(kMostNano - 1, 1), kMostNano);
    EXPECT_EQ(checked_add(kMostNano, 1), std::nullopt);
    EXPECT_EQ(checked_add(INT64_MIN, -1), std::nullopt);
    EXPECT_EQ(saturating_add(kMostNano, 5), kMostNano);
    EXPECT_EQ(saturating_add(INT64_MIN, -5), INT64_MIN);
    EXPECT_EQ(saturating_add(7, -9), -2);
    EXPECT_EQ(saturating_subtract(INT64_MIN, 1), INT64_MIN);
    EXPECT_EQ(saturating_subtract(0, INT64_MIN), kMostNano);
    EXPECT_EQ(saturating_subtract(5, 7), -2);
}

// Scenario 36.
TEST(Money, a_million_settlements_add_up_exactly) {
    NanoUsd spent = 0;
    for (int i = 0; i < 1'000'000; ++i) spent = checked_add(spent, 7'654'321).value();
    EXPECT_EQ(spent, 7'654'321'000'000);
    EXPECT_EQ(format_usd(spent), "7654.321");
    // Above 2^53 nano-USD, 9.007 million USD, a double would lose the last digits.
    spent = 9'100'000'000'000'000;
    for (int i = 0; i < 1'000'000; ++i) spent = checked_add(spent, 7'654'321).value();
    EXPECT_EQ(spent, 9'107'654'321'000'000);
    EXPECT_EQ(checked_add(spent, 1), 9'107'654'321'000'001);
}

TEST(FormatUsd, says_the_amount_exactly) {
    EXPECT_EQ(format_usd(0), "0");
    EXPECT_EQ(format_usd(1), "0.000000001");
    EXPECT_EQ(format_usd(-1), "-0.000000001");
    EXPECT_EQ(format_usd(1'500'000'000), "1.5");
    EXPECT_EQ(format_usd(2'000'000'000'000), "2000");
    EXPECT_EQ(format_usd(2'310'000), "0.00231");
    EXPECT_EQ(format_usd(kMostNano), "9223372036.854775807");
    EXPECT_EQ(format_usd(INT64_MIN), "-9223372036.854775808");
}

TEST(FormatUsd, what_is_written_is_read_back) {
    std::mt19937_64 random(11);
    for (int i = 0; i < 100'000; ++i) {
        const auto amount = static_cast<NanoUsd>(random() >> (1 + random() % 62));
        ASSERT_EQ(config::parse_usd(format_usd(amount)), amount);
        ASSERT_EQ(format_usd(-amount), amount == 0 ? "0" : "-" + format_usd(amount));
    }
}

} // namespace
} // namespace tollgate::policy
