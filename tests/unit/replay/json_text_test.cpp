#include "gateway/api/replay/json_text.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <random>

namespace tollgate::api::replay {
namespace {

TEST(JsonText, AcceptsWhatTheGrammarAllowsAndNothingElse) {
    for (const std::string_view good :
         {"0", "-0", "1.5e-10", "1E+5", "12345678901234567890123", "\"\"", R"("\ud83d\ude00\n\/")", "[]", "[ 1 , [ ] ]",
          "{}", R"( {"a" : {"b":[true,false,null]}} )", "null"})
        EXPECT_TRUE(read_value(good)) << good;
    for (const std::string_view bad :
         {"",        " ",        "01",         "1.",      ".5",          "-",      "+1",   "1e",      "nul",
          "truex",   "\"",       "\"\\\"",     "\"\\x\"", "\"\\u12g4\"", "\"\n\"", "[1,]", "[,1]",    "[1 2]",
          "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}",   "{} {}",       "[",      "]",    "{\"a\":1"})
        EXPECT_FALSE(read_value(bad)) << bad;
    EXPECT_TRUE(read_value(std::string(64, '[') + std::string(64, ']')));
    EXPECT_FALSE(read_value(std::string(65, '[') + std::string(65, ']')));
}

// Texts one change away from JSON: the same verdict as Boost.JSON's.
TEST(JsonText, AgreesWithAnotherParserOnMutatedTexts) {
    const std::string seed = R"({"a":[1,-2.5e3,"x\u00e9\n"],"b":{"c":null,"d":true},"e":"","f":[[],{}]})";
    const std::string octets = "{}[]\",:\\ 019.-+eEtrufalsn\n";
    std::mt19937 random(7);
    for (int round = 0; round < 20000; ++round) {
        std::string text = seed;
        for (int change = 0; change < 2; ++change) {
            const std::size_t at = random() % text.size();
            const char octet = octets[random() % octets.size()];
            if (const auto kind = random() % 3; kind == 0)
                text.erase(at, 1);
            else if (kind == 1)
                text[at] = octet;
            else
                text.insert(at, 1, octet);
        }
        boost::json::error_code error;
        (void)boost::json::parse(text, error);
        EXPECT_EQ(read_value(text).has_value(), !error) << text;
    }
}

TEST(JsonText, TakesObjectsAndArraysApart) {
    const auto object = read_value(R"({ "a" : 1.0 , "b":[1, "2" ,{}],"c":"x\"y" })");
    ASSERT_TRUE(object);
    const auto members = members_of(*object);
    ASSERT_TRUE(members);
    ASSERT_EQ(members->size(), 3U);
    EXPECT_EQ(find(*members, "a").text, "1.0");
    EXPECT_EQ(find(*members, "c").inner(), R"(x\"y)");
    EXPECT_TRUE(find(*members, "d").text.empty());
    Elements elements(find(*members, "b"));
    EXPECT_EQ(elements.next()->text, "1");
    EXPECT_EQ(elements.next()->text, "\"2\"");
    EXPECT_TRUE(elements.next()->is_object());
    EXPECT_FALSE(elements.next());
}

TEST(JsonText, OneNameHasOneSpellingAndComesOnce) {
    for (const std::string_view text : {R"({"a":1,"a":2})", R"({"\u0061":1})", "[]", "1"})
        EXPECT_FALSE(members_of(*read_value(text))) << text;
    std::string many = "{\"m0\":0";
    for (int i = 1; i < 64; ++i) many += ",\"m" + std::to_string(i) + "\":0";
    EXPECT_TRUE(members_of(*read_value(many + "}")));
    EXPECT_FALSE(members_of(*read_value(many + ",\"more\":0}")));
}

TEST(JsonText, CharactersAreNotCut) {
    EXPECT_EQ(character_length("ab"), 1U);
    EXPECT_EQ(character_length("\\nb"), 2U);
    EXPECT_EQ(character_length("\\u00e9b"), 6U);
    EXPECT_EQ(character_length("\\ud83d\\ude00b"), 12U);
    EXPECT_EQ(character_length("\\ud83dab"), 6U);
    EXPECT_EQ(character_length("\xF0\x9F\x98\x80z"), 4U);
    EXPECT_EQ(character_length(""), 0U);
}

TEST(JsonText, UnescapesAsAnotherParserDoes) {
    for (const std::string_view text :
         {R"(a\"b\\c\/\b\f\n\r\t)", R"(\u0041\u00e9\u20ac\ud83d\ude00)", "\xC3\xA9", ""}) {
        const auto expected = boost::json::parse('"' + std::string(text) + '"');
        EXPECT_EQ(unescape(text), std::string_view(expected.get_string()));
    }
    EXPECT_EQ(unescape(R"(\ud83d)"), "\xEF\xBF\xBD");
}

TEST(JsonText, IndicesAreSmallIntegers) {
    const auto index = [](std::string_view text) { return index_of(*read_value(text), 127); };
    EXPECT_EQ(index("0"), 0U);
    EXPECT_EQ(index("127"), 127U);
    for (const std::string_view bad : {"128", "-1", "1.0", "1e0", "\"1\"", "null", "99999999999999999999"})
        EXPECT_FALSE(index(bad)) << bad;
}

TEST(JsonText, CompactsOutsideOfStringsOnly) {
    EXPECT_EQ(compact("{ \"a b\" :\n [ 1,\t2 ],\r\n \"c\": \"x \\\" y\" }"), R"({"a b":[1,2],"c":"x \" y"})");
}

} // namespace
} // namespace tollgate::api::replay
