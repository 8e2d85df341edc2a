#include "gateway/api/replay/fitness.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tollgate::api::replay {
namespace {

std::string chat(std::string_view message, std::string_view reason = "\"stop\"") {
    return "{\n \"error\": null, \"choices\":[{\"index\":0,\"message\":" + std::string(message) +
           ",\"finish_reason\":" + std::string(reason) + "}]}";
}
std::string call(std::string_view arguments) {
    return R"({"content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":")" +
           std::string(arguments) + R"("}}]})";
}
std::string_view why(const std::string& answer, bool limited = false) {
    return unfit(Dialect::chat, answer, limited);
}

constexpr std::string_view kSays = R"({"role":"assistant","content":"x"})";

TEST(Fitness, ChatAnswersThatSaySomethingAndEndedAreKept) {
    EXPECT_EQ(why(chat(kSays)), "");
    EXPECT_EQ(why(chat(R"({"content":null,"refusal":"no"})")), "");
    EXPECT_EQ(why(chat(call(R"({\"a\":[1,2]})"), "\"tool_calls\"")), "");
    EXPECT_EQ(why(chat(R"({"tool_calls":[{"id":"c","type":"custom","custom":{"name":"s","input":"select"}}]})")), "");
    EXPECT_EQ(why(chat(R"({"content":null,"function_call":{"name":"f","arguments":"{}"}})", "\"function_call\"")), "");
    EXPECT_EQ(why(chat(R"({"content":[{"type":"text","text":"x"}],"tool_calls":[]})")), "");
}

// Scenario 67.
TEST(Fitness, TheOthersAreNot) {
    EXPECT_EQ(why(R"({"error":{"message":"x"},"choices":[]})"), "error");
    EXPECT_EQ(why("{\"choices\":[]}"), "incomplete");
    EXPECT_EQ(why("{}"), "incomplete");
    EXPECT_EQ(why("[]"), "unreadable");
    EXPECT_EQ(why("{"), "unreadable");
    EXPECT_EQ(why(chat(kSays, "null")), "incomplete");
    EXPECT_EQ(why(chat(kSays, "\"content_filter\"")), "content_filter");
    EXPECT_EQ(why(chat(kSays, "\"eos\"")), "content_filter");
    EXPECT_EQ(why(chat(kSays, "\"length\"")), "length");
    EXPECT_EQ(why(chat(kSays, "\"length\""), true), "");
    for (const std::string_view empty :
         {R"({"content":""})", R"({"content":null})", R"({"content":"","reasoning_content":"hm"})", R"({"content":[]})",
          R"({"content":null,"tool_calls":[],"refusal":""})"})
        EXPECT_EQ(why(chat(empty)), "empty") << empty;
    for (const std::string_view cut : {"", R"({\"a\":1)", R"({\"a\":\"x)", "{}}"}) {
        EXPECT_EQ(why(chat(call(cut), "\"tool_calls\"")), "arguments") << cut;
        EXPECT_EQ(why(chat(R"({"function_call":{"name":"f","arguments":")" + std::string(cut) + "\"}}")), "arguments");
    }
}

TEST(Fitness, EveryChoiceCounts) {
    EXPECT_EQ(
        why(R"({"choices":[{"message":{"content":"a"},"finish_reason":"stop"},{"message":{"content":"b"},"finish_reason":"length"}]})"),
        "length");
    EXPECT_EQ(
        why(R"({"choices":[{"message":{"content":"a"},"finish_reason":"stop"},{"message":{"content":""},"finish_reason":"stop"}]})"),
        "empty");
}

TEST(Fitness, LegacyCompletions) {
    const auto check = [](std::string_view text, std::string_view reason) {
        return unfit(Dialect::completion,
                     R"({"choices":[{"text":")" + std::string(text) + R"(","finish_reason":")" + std::string(reason) +
                         "\"}]}",
                     false);
    };
    EXPECT_EQ(check("x", "stop"), "");
    EXPECT_EQ(check("", "stop"), "empty");
    EXPECT_EQ(check("x", "length"), "length");
}

TEST(Fitness, Responses) {
    const auto check = [](std::string_view output, std::string_view more = R"("status":"completed")",
                          bool limited = false) {
        return unfit(Dialect::response,
                     R"({"error":null,"output":[)" + std::string(output) + "]," + std::string(more) + "}", limited);
    };
    constexpr std::string_view kMessage =
        R"({"type":"message","status":"completed","content":[{"type":"output_text","text":"x"}]})";
    constexpr std::string_view kCut = R"("status":"incomplete","incomplete_details":{"reason":"max_output_tokens"})";
    EXPECT_EQ(check(kMessage), "");
    EXPECT_EQ(check(R"({"type":"function_call","arguments":"{}"})"), "");
    EXPECT_EQ(check(R"({"type":"custom_tool_call","input":""})"), "");
    EXPECT_EQ(check(R"({"type":"message","content":[{"type":"refusal","refusal":"no"}]})"), "");
    EXPECT_EQ(check(""), "empty");
    EXPECT_EQ(check(R"({"type":"reasoning","summary":[]})"), "empty");
    EXPECT_EQ(check(R"({"type":"message","content":[{"type":"output_text","text":""}]})"), "empty");
    EXPECT_EQ(check(R"({"type":"function_call","arguments":"{"})"), "arguments");
    EXPECT_EQ(check(R"({"type":"message","status":"incomplete","content":[]})"), "incomplete");
    EXPECT_EQ(check(kMessage, R"("status":"failed")"), "incomplete");
    EXPECT_EQ(check(kMessage, R"("status":"in_progress")"), "incomplete");
    EXPECT_EQ(check(kMessage, kCut), "length");
    EXPECT_EQ(check(kMessage, kCut, true), "");
    EXPECT_EQ(check(kMessage, R"("status":"incomplete","incomplete_details":{"reason":"content_filter"})"),
              "content_filter");
}

} // namespace
} // namespace tollgate::api::replay
