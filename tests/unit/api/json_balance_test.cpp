#include "gateway/api/json_balance.hpp"

#include <gtest/gtest.h>
#include <string>

namespace tollgate::api {
namespace {

bool whole(std::string_view text, std::size_t piece) {
    JsonBalance balance;
    for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) balance.feed(text.substr(0, piece));
    return balance.whole();
}

// Every prefix of a document is not whole, the document is, however it is cut.
TEST(JsonBalance, tellsAnEndFromABreakingOff) {
    const std::string text = R"({"a":["}","\"]","\\",{"b":[[],{}]}],"c":"[{"})";
    for (const std::size_t piece : {1U, 2U, 7U, 1000U}) {
        for (std::size_t length = 0; length < text.size(); ++length)
            EXPECT_FALSE(whole(text.substr(0, length), piece)) << text.substr(0, length);
        EXPECT_TRUE(whole(text, piece));
        EXPECT_TRUE(whole("[" + text + "]\r\n", piece));
    }
}

TEST(JsonBalance, noDocument_isNotWhole) {
    for (const char* text : {"", " \n", "}", "]}", "\"x\""}) EXPECT_FALSE(whole(text, 1)) << text;
}

} // namespace
} // namespace tollgate::api
