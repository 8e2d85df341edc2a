#include "gateway/base/text.hpp"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate {
namespace {

std::string escaped(std::string_view text) {
    std::string out;
    append_json_escaped(out, text);
    return out;
}

// What an independent parser reads back from the JSON string; it checks the UTF-8 as well.
std::string parsed_back(std::string_view text) {
    std::string json;
    append_json_string(json, text);
    simdjson::dom::parser parser;
    std::string_view value;
    const auto error = parser.parse(simdjson::padded_string(json)).get(value);
    EXPECT_EQ(error, simdjson::SUCCESS) << json;
    return std::string(value);
}

bool is_utf8(std::string_view text) {
    return simdjson::validate_utf8(text.data(), text.size());
}

TEST(JsonEscape, quotes_backslash_and_controls) {
    EXPECT_EQ(escaped("a\"b\\c"), R"(a\"b\\c)");
    EXPECT_EQ(escaped("\n\r\t"), R"(\n\r\t)");
    EXPECT_EQ(escaped(std::string("\0\x01\x1f\x7f", 4)), "\\u0000\\u0001\\u001f\\u007f");
    EXPECT_EQ(escaped("/<>&'"), "/<>&'");
    EXPECT_EQ(escaped(""), "");
}

TEST(JsonEscape, string_form_appends_with_quotes) {
    std::string out = "x:";
    append_json_string(out, "a\"");
    EXPECT_EQ(out, R"(x:"a\"")");
}

TEST(JsonEscape, well_formed_utf8_passes_unchanged) {
    const std::string text = "é€😀\xEF\xBF\xBF\xF4\x8F\xBF\xBF\xED\x9F\xBF\xEE\x80\x80";
    EXPECT_EQ(escaped(text), text);
    EXPECT_EQ(parsed_back(text), text);
}

TEST(JsonEscape, each_ill_formed_sequence_becomes_replacement_characters) {
    const std::string r = "\xEF\xBF\xBD";
    const std::pair<std::string, std::string> cases[] = {
        {"\x80", r},                         // continuation without a lead
        {"\xC0\xAF", r + r},                 // overlong solidus
        {"\xC1\xBF", r + r},                 //
        {"\xE0\x80\xAF", r + r + r},         // overlong in three
        {"\xF0\x80\x80\xAF", r + r + r + r}, // overlong in four
        {"\xED\xA0\x80", r + r + r},         // surrogate
        {"\xF4\x90\x80\x80", r + r + r + r}, // above U+10FFFF
        {"\xF5\x80\x80\x80", r + r + r + r}, //
        {"\xFF\xFE", r + r},                 //
        {"a\xE2\x82", "a" + r + r},          // cut off at the end
        {"\xE2\x82\"", r + r + "\\\""},      // the quote after it is still escaped
        {"\xC3\x28", r + "("},               //
    };
    for (const auto& [in, out] : cases) EXPECT_EQ(escaped(in), out) << testing::PrintToString(in);
}

TEST(JsonEscape, random_octets_are_always_a_valid_json_string) {
    std::mt19937_64 random(42);
    for (int round = 0; round < 20'000; ++round) {
        std::string text(random() % 40, '\0');
        // Half the rounds draw mostly from octets that begin or continue sequences.
        for (char& c : text) c = static_cast<char>(round % 2 == 0 ? random() : 0x80 + random() % 0x80);
        const std::string back = parsed_back(text);
        ASSERT_TRUE(is_utf8(back));
        if (is_utf8(text)) {
            ASSERT_EQ(back, text) << testing::PrintToString(text);
        }
    }
}

TEST(JsonEscape, every_single_octet_and_pair_round_trips_or_is_replaced) {
    for (int a = 0; a < 256; ++a) {
        for (int b = 0; b < 256; ++b) {
            const std::string text{static_cast<char>(a), static_cast<char>(b)};
            const std::string back = parsed_back(text);
            if (is_utf8(text)) {
                ASSERT_EQ(back, text) << a << ' ' << b;
            } else {
                ASSERT_NE(back.find("\xEF\xBF\xBD"), std::string::npos) << a << ' ' << b;
            }
        }
    }
}

TEST(AsciiCase, only_letters_change) {
    for (int c = 0; c < 256; ++c) {
        const char in = static_cast<char>(c);
        const bool upper = c >= 'A' && c <= 'Z';
        EXPECT_EQ(ascii_lower(in), upper ? static_cast<char>(c + 32) : in) << c;
    }
    EXPECT_TRUE(iequals("Content-Length", "cONTENT-lENGTH"));
    EXPECT_TRUE(iequals("", ""));
    EXPECT_FALSE(iequals("a", "ab"));
    EXPECT_FALSE(iequals("@", "`")) << "neighbours of the letters";
    EXPECT_FALSE(iequals("[", "{"));
}

TEST(Trim, removes_space_and_tab_at_both_ends_only) {
    EXPECT_EQ(trim(" \t a \t b\t "), "a \t b");
    EXPECT_EQ(trim(" \t "), "");
    EXPECT_EQ(trim(""), "");
    EXPECT_EQ(trim("\r\na\v"), "\r\na\v");
}

TEST(ParseDecimal, digits_up_to_64_bits_and_nothing_else) {
    EXPECT_EQ(parse_decimal("0"), 0U);
    EXPECT_EQ(parse_decimal("0007"), 7U);
    EXPECT_EQ(parse_decimal("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
    for (const std::string_view bad : {"", " 1", "1 ", "+1", "-1", "-0", "0x10", "1e3", "1.0", "1,000",
                                       "18446744073709551616", "99999999999999999999999", "a", "\t1", "1\n"}) {
        EXPECT_EQ(parse_decimal(bad), std::nullopt) << testing::PrintToString(bad);
    }
    EXPECT_EQ(parse_decimal(std::string_view("1\0", 2)), std::nullopt);
}

// The textbook recursion over the whole table, without any short cut.
std::size_t reference_distance(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) {
        for (std::size_t j = 0; j <= b.size(); ++j) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
        }
    }
    return d[a.size()][b.size()];
}

TEST(EditDistance, known_pairs) {
    EXPECT_EQ(edit_distance("kitten", "sitting", 9), 3U);
    EXPECT_EQ(edit_distance("upstream", "upstreams", 2), 1U);
    EXPECT_EQ(edit_distance("", "abc", 5), 3U);
    EXPECT_EQ(edit_distance("same", "same", 0), 0U);
    EXPECT_EQ(edit_distance("", "", 0), 0U);
}

TEST(EditDistance, above_the_limit_is_limit_plus_one) {
    EXPECT_EQ(edit_distance("kitten", "sitting", 2), 3U);
    EXPECT_EQ(edit_distance("kitten", "sitting", 1), 2U);
    EXPECT_EQ(edit_distance("a", std::string(1'000, 'b'), 3), 4U);
    EXPECT_EQ(edit_distance("a", "b", 0), 1U);
}

TEST(EditDistance, unlimited_search_does_not_wrap_around) {
    EXPECT_EQ(edit_distance("abc", "xyz", std::numeric_limits<std::size_t>::max()), 3U);
    EXPECT_EQ(edit_distance("", "xyz", std::numeric_limits<std::size_t>::max()), 3U);
}

TEST(EditDistance, random_words_agree_with_the_textbook) {
    std::mt19937 random(7);
    const auto word = [&] {
        std::string text(random() % 9, 'a');
        for (char& c : text) c = static_cast<char>('a' + random() % 3);
        return text;
    };
    for (int i = 0; i < 20'000; ++i) {
        const std::string a = word();
        const std::string b = word();
        const std::size_t limit = random() % 10;
        ASSERT_EQ(edit_distance(a, b, limit), std::min(reference_distance(a, b), limit + 1))
            << '"' << a << "\" \"" << b << "\" limit " << limit;
    }
}

bool reference_match(std::string_view pattern, std::string_view text) {
    if (pattern.empty()) return text.empty();
    if (pattern.front() != '*') {
        return !text.empty() && pattern.front() == text.front() && reference_match(pattern.substr(1), text.substr(1));
    }
    for (std::size_t i = 0; i <= text.size(); ++i) {
        if (reference_match(pattern.substr(1), text.substr(i))) return true;
    }
    return false;
}

TEST(WildcardMatch, known_cases) {
    EXPECT_TRUE(wildcard_match("ft:*", "ft:gpt-4o:org::id"));
    EXPECT_TRUE(wildcard_match("ft:*", "ft:"));
    EXPECT_FALSE(wildcard_match("ft:*", "ft"));
    EXPECT_TRUE(wildcard_match("*", ""));
    EXPECT_TRUE(wildcard_match("gpt-*-mini", "gpt-4o-mini"));
    EXPECT_FALSE(wildcard_match("gpt-*-mini", "gpt-4o-mini-2024"));
    EXPECT_FALSE(wildcard_match("gpt-?", "gpt-4")) << "only the star is special";
    EXPECT_FALSE(wildcard_match("gpt-4o", "GPT-4o"));
    EXPECT_FALSE(wildcard_match("", "x"));
    EXPECT_TRUE(wildcard_match("", ""));
}

TEST(WildcardMatch, random_patterns_agree_with_the_recursive_definition) {
    std::mt19937 random(11);
    const auto draw = [&](std::string_view letters, std::size_t longest) {
        std::string text(random() % (longest + 1), 'a');
        for (char& c : text) c = letters[random() % letters.size()];
        return text;
    };
    for (int i = 0; i < 50'000; ++i) {
        const std::string pattern = draw("ab*", 6);
        const std::string text = draw("ab", 8);
        ASSERT_EQ(wildcard_match(pattern, text), reference_match(pattern, text))
            << '"' << pattern << "\" \"" << text << '"';
    }
}

// The recursive definition would not come back from this.
TEST(WildcardMatch, hostile_pattern_stays_polynomial) {
    std::string pattern;
    for (int i = 0; i < 200; ++i) pattern += "a*";
    EXPECT_FALSE(wildcard_match(pattern + "b", std::string(5'000, 'a')));
}

} // namespace
} // namespace tollgate
