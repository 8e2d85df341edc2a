// The split rules one by one (api-surface §10.3); the corpus compares them with the reference over all characters.
#include "policy/tokens/split.hpp"

#include <chrono>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::tokens {
namespace {

using Pieces = std::vector<std::string>;

Pieces pieces(EncodingKind kind, std::string_view text) {
    Pieces all;
    Splitter splitter(kind, text);
    for (std::string_view piece = splitter.next(); !piece.empty(); piece = splitter.next()) all.emplace_back(piece);
    return all;
}

Pieces cl100k(std::string_view text) {
    return pieces(EncodingKind::cl100k_base, text);
}

Pieces o200k(std::string_view text) {
    return pieces(EncodingKind::o200k_base, text);
}

TEST(TokenSplit, ContractionsStandAloneInCl100k) {
    EXPECT_EQ(cl100k("I'm it'S we'RE x'ldx"), (Pieces{"I", "'m", " it", "'S", " we", "'RE", " x", "'ldx"}));
    EXPECT_EQ(cl100k("'\u017fa"), (Pieces{"'\u017f", "a"}));
    EXPECT_EQ(cl100k("'sta"), (Pieces{"'s", "ta"})); // the first rule wins, not the longest
    EXPECT_EQ(cl100k("a'"), (Pieces{"a", "'"}));
}

TEST(TokenSplit, ContractionsEndTheWordInO200k) {
    EXPECT_EQ(o200k("I'm it'S we'RE x'ldx"), (Pieces{"I'm", " it'S", " we'RE", " x", "'ldx"}));
    EXPECT_EQ(o200k("A'\u017fa 's"), (Pieces{"A'\u017f", "a", " '", "s"}));
    EXPECT_EQ(o200k("'sta"), (Pieces{"'sta"}));
}

TEST(TokenSplit, AWordTakesOneCharacterBefore) {
    EXPECT_EQ(cl100k(" a-b\tc\nd  e"), (Pieces{" a", "-b", "\tc", "\n", "d", " ", " e"}));
    EXPECT_EQ(o200k(" a-b\tc\nd  e"), (Pieces{" a", "-b", "\tc", "\n", "d", " ", " e"}));
}

TEST(TokenSplit, CaseEndsAWordInO200kOnly) {
    EXPECT_EQ(cl100k("camelCaseWORDs"), (Pieces{"camelCaseWORDs"}));
    EXPECT_EQ(o200k("camelCaseWORDs"), (Pieces{"camel", "Case", "WORDs"}));
    EXPECT_EQ(o200k("\u01c5abc\u01c5D"), (Pieces{"\u01c5abc", "\u01c5D"}));
}

// Other letters, modifiers and marks are in both classes of the first rule, so the engine gives back.
TEST(TokenSplit, O200kGivesBack) {
    EXPECT_EQ(o200k("A\u4e2dBC"), (Pieces{"A\u4e2d", "BC"}));
    EXPECT_EQ(o200k("A\u4e2dBCd"), (Pieces{"A\u4e2dBCd"}));
    EXPECT_EQ(o200k("\u02b0AB"), (Pieces{"\u02b0", "AB"}));
    EXPECT_EQ(o200k("\u0301ABC"), (Pieces{"\u0301", "ABC"}));
    EXPECT_EQ(o200k("\u0301aBC"), (Pieces{"\u0301a", "BC"}));
    EXPECT_EQ(o200k("\u0301\u0301AB"), (Pieces{"\u0301\u0301", "AB"}));
    EXPECT_EQ(o200k("-\u0301AB'S"), (Pieces{"-\u0301", "AB'S"}));
    EXPECT_EQ(o200k("\u0301"), (Pieces{"\u0301"}));
}

TEST(TokenSplit, MarksAreNoLettersInCl100k) {
    EXPECT_EQ(cl100k("e\u0301tude"), (Pieces{"e", "\u0301tude"}));
    EXPECT_EQ(cl100k("\u0301\u0301a"), (Pieces{"\u0301\u0301", "a"}));
}

TEST(TokenSplit, NumbersByThree) {
    for (const auto& split : {cl100k, o200k}) {
        EXPECT_EQ(split("1234567 8"), (Pieces{"123", "456", "7", " ", "8"}));
        EXPECT_EQ(split("\u00bd\u2167\u0663\u0967"), (Pieces{"\u00bd\u2167\u0663", "\u0967"}));
    }
}

TEST(TokenSplit, OthersTakeASpaceBeforeAndLineEndsAfter) {
    EXPECT_EQ(cl100k("a !!\r\n\n/b"), (Pieces{"a", " !!\r\n\n", "/b"}));
    EXPECT_EQ(o200k("a !!\r\n/\n/b"), (Pieces{"a", " !!\r\n/\n/", "b"}));
    EXPECT_EQ(cl100k("  !"), (Pieces{" ", " !"}));
    EXPECT_EQ(o200k("\u200b\ufeff\u180e"), (Pieces{"\u200b\ufeff\u180e"}));
}

TEST(TokenSplit, Space) {
    for (const auto& split : {cl100k, o200k}) {
        EXPECT_EQ(split("a \n\n  b"), (Pieces{"a", " \n\n", " ", " b"}));
        EXPECT_EQ(split("a   1"), (Pieces{"a", "  ", " ", "1"}));
        EXPECT_EQ(split("a  \t"), (Pieces{"a", "  \t"}));
        EXPECT_EQ(split("a\u00a0\u3000\u2028b"), (Pieces{"a", "\u00a0\u3000", "\u2028b"}));
        EXPECT_EQ(split("a \u0085b"), (Pieces{"a", " ", "\u0085b"}));
    }
    EXPECT_EQ(cl100k("a \n "), (Pieces{"a", " \n "}));
    EXPECT_EQ(o200k("a \n "), (Pieces{"a", " \n", " "}));
}

TEST(TokenSplit, NothingIsNoPiece) {
    EXPECT_TRUE(cl100k("").empty());
    EXPECT_TRUE(o200k("").empty());
}

// Each of these makes a matcher that looks ahead or gives back too far quadratic: hours, where seconds are allowed.
TEST(TokenSplit, TakesLinearTime) {
    const auto began = std::chrono::steady_clock::now();
    for (const std::string_view unit :
         {"a", "A", "\u4e2dA", "\u0301A", " ", " \n", "\n ", "  a", "!", "!/", "'", "1"}) {
        std::string text;
        while (text.size() < 4'000'000) text += unit;
        for (const EncodingKind kind : {EncodingKind::cl100k_base, EncodingKind::o200k_base}) {
            Splitter splitter(kind, text);
            std::size_t octets = 0;
            for (std::string_view piece = splitter.next(); !piece.empty(); piece = splitter.next())
                octets += piece.size();
            EXPECT_EQ(octets, text.size());
        }
    }
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(100));
}

} // namespace
} // namespace tollgate::tokens
