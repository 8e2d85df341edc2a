#include "cache/canonical_number.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <random>

namespace tollgate::cache {
namespace {

std::string canonical(std::string_view token) {
    std::string out;
    return append_canonical_number(out, token) ? out : "refused";
}

struct Spelling {
    std::string_view written;
    std::string_view expected;
};

TEST(CanonicalNumber, Spellings_of_one_value_become_one) {
    constexpr Spelling kCases[] = {
        {"1", "1"},
        {"1.0", "1"},
        {"1e0", "1"},
        {"1E+0", "1"},
        {"10e-1", "1"},
        {"0.1e1", "1"},
        {"1 \t\r\n", "1"},
        {"0", "0"},
        {"-0", "0"},
        {"-0.0", "0"},
        {"0e999", "0"},
        {"-0e-999", "0"},
        {"0.70", "0.7"},
        {"7e-1", "0.7"},
        {"-7.0E-1", "-0.7"},
        {"100", "100"},
        {"1e2", "100"},
        {"123.456", "123.456"},
        {"0.000001", "0.000001"},
        {"0.0000001", "1e-7"},
        {"1.25e-7", "1.25e-7"},
        {"5e-324", "5e-324"},
        {"0.1000000000000000055511151231257827", "0.1"},
        {"9007199254740991", "9007199254740991"},
        {"9007199254740991.0", "9007199254740991"},
        {"-9007199254740991", "-9007199254740991"},
        {"4503599627370495.5", "4503599627370495.5"},
    };
    for (const auto& [written, expected] : kCases) EXPECT_EQ(canonical(written), expected) << written;
}

TEST(CanonicalNumber, What_a_double_cannot_tell_apart_stays_as_written) {
    for (const std::string_view written :
         {"9007199254740992", "9007199254740993", "-9007199254740993", "9007199254740993.0", "18446744073709551616",
          "123456789012345678901234567890", "1e400", "-1e400", "1e-400", "1E300", "0.5e-500"}) {
        EXPECT_EQ(canonical(written), written);
    }
}

TEST(CanonicalNumber, What_is_not_a_number_is_refused) {
    for (const std::string_view written : {"", "-", "+1", "01", "-01", ".5", "1.", "1.e1", "1e", "1e+", "0x10", "NaN",
                                           "Infinity", "1 2", "1,", "--1", "1_000", "true"}) {
        EXPECT_EQ(canonical(written), "refused") << '"' << written << '"';
    }
}

TEST(CanonicalNumber, Any_double_reads_back_as_itself) {
    std::mt19937_64 random(1); // NOLINT: the seed makes a failure repeatable
    for (int i = 0; i < 200'000; ++i) {
        const auto value = std::bit_cast<double>(random());
        if (!std::isfinite(value) || std::fabs(value) >= 0x1p53) continue;
        char written[64];
        const auto end = std::to_chars(std::begin(written), std::end(written), value).ptr;
        const std::string text = canonical({written, static_cast<std::size_t>(end - written)});
        double back = 0;
        std::from_chars(text.data(), text.data() + text.size(), back);
        ASSERT_EQ(back, value) << text;
        ASSERT_EQ(canonical(text), text);
    }
}

} // namespace
} // namespace tollgate::cache
