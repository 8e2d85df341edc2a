#include "policy/tokens/utf8.hpp"

#include <gtest/gtest.h>
#include <string>

namespace tollgate::tokens {
namespace {

#define FFFD "\xef\xbf\xbd"

TEST(TokenUtf8, WellFormedTextStays) {
    for (const std::string text : {"", "a", "\u00e9\u6771\U0001f642", "\ud7ff\ue000\uffff\U0010ffff"}) {
        EXPECT_TRUE(is_utf8(text));
        EXPECT_EQ(repaired_utf8(text), text);
    }
}

// Unicode §3.9, tables 3-8 to 3-11, with the exception for surrogates.
TEST(TokenUtf8, EachMaximalSubpartIsReplacedOnce) {
    const auto repaired = [](const std::string& text) {
        EXPECT_FALSE(is_utf8(text));
        const std::string made = repaired_utf8(text);
        EXPECT_TRUE(is_utf8(made));
        return made;
    };
    EXPECT_EQ(repaired("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41"), FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A");
    EXPECT_EQ(repaired("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42"), FFFD FFFD FFFD FFFD FFFD "A" FFFD FFFD "B");
    EXPECT_EQ(repaired("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41"), FFFD FFFD FFFD FFFD "A");
    EXPECT_EQ(repaired("a\xf0\x9f\x99"), "a" FFFD);
    EXPECT_EQ(repaired("a\xe2"), "a" FFFD);
    EXPECT_EQ(repaired("\xed\xa0\x80\xed\xbf\xbf"), FFFD FFFD);
    EXPECT_EQ(repaired("\xed\xa0"), FFFD FFFD);
    EXPECT_EQ(repaired("\xed\xa0z"), FFFD FFFD "z");
}

} // namespace
} // namespace tollgate::tokens
