#include "gateway/exchange/receipt.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace tollgate::exchange {
namespace {

TEST(ReceiptTest, goesBehindTheBraceOfTheFirstUsageObject) {
    for (const std::string_view events : {R"(data: {"choices":[],"usage":{"prompt_tokens":1}})",
                                          R"(data: {"usage":null,"x":1}

data: {"usage" : { "prompt_tokens":1}})",
                                          R"({"text":"\"usage\":{","response":{"usage":{"input_tokens":1}}})"}) {
        const auto place = place_in_usage(events);
        ASSERT_TRUE(place) << events;
        EXPECT_TRUE(events.substr(0, *place).ends_with('{'));
        EXPECT_NE(events.substr(*place).find(R"(_tokens":1)"), std::string_view::npos) << events;
    }
}

TEST(ReceiptTest, hasNoPlace_withoutAUsageObject) {
    for (const std::string_view events : {"", "data: [DONE]", R"({"usage":null})", R"({"usage":7})", R"({"usage")",
                                          R"({"usage":)", R"({"kind":"usage","x":{}})", R"({"text":"\"usage\":{}"})"})
        EXPECT_FALSE(place_in_usage(events)) << events;
}

} // namespace
} // namespace tollgate::exchange
