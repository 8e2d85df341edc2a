#include "tests/unit/replay/telling.hpp"

#include <gtest/gtest.h>

namespace tollgate::api::replay {
namespace {

std::string response(std::string_view output) {
    return R"({"id":"resp_1","object":"response","created_at":5,"completed_at":6,"status":"completed","error":null,"model":"m",)"
           R"("output":[)" +
           std::string(output) +
           R"(],"store":false,"usage":{"input_tokens":1,"output_tokens":2,"output_tokens_details":{"reasoning_tokens":1},"total_tokens":3}})";
}

constexpr std::string_view kMessage =
    R"({"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[)"
    R"({"type":"output_text","text":"Hello there","annotations":[{"type":"url_citation","start_index":0}],"logprobs":[{"token":"Hello","logprob":-0.10,"bytes":[72],"top_logprobs":[]},{"token":" there","logprob":-0.2,"bytes":[32],"top_logprobs":[]}]},)"
    R"({"type":"refusal","refusal":"But no."}]})";
constexpr std::string_view kReasoning =
    R"({"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"Thought."}],"content":[{"type":"reasoning_text","text":"Deep."}],"encrypted_content":"c2VjcmV0"})";
constexpr std::string_view kCall =
    R"({"id":"fc_1","type":"function_call","status":"completed","call_id":"call_1","name":"f","arguments":"{\"n\":12345678901234567890123}"})";
constexpr std::string_view kCustom =
    R"({"id":"ctc_1","type":"custom_tool_call","status":"completed","call_id":"call_2","name":"sql","input":"select 1"})";

std::vector<boost::json::value> told(const std::string& answer) {
    std::vector<boost::json::value> out;
    const auto stream = as_events(Dialect::response, answer, kNow, false);
    EXPECT_TRUE(stream);
    for (const std::string& data : data_of(stream.value_or(""))) out.push_back(parsed(data));
    return out;
}

std::vector<std::string> types(const std::vector<boost::json::value>& events) {
    std::vector<std::string> out;
    for (const auto& event : events) out.emplace_back(event.at("type").as_string().c_str());
    return out;
}

TEST(ResponseEvents, TheWholeGrammarOfAText) {
    const auto events = told(response(kMessage));
    const std::vector<std::string> expected{"response.created",
                                            "response.in_progress",
                                            "response.output_item.added",
                                            "response.content_part.added",
                                            "response.output_text.delta",
                                            "response.output_text.annotation.added",
                                            "response.output_text.done",
                                            "response.content_part.done",
                                            "response.content_part.added",
                                            "response.refusal.delta",
                                            "response.refusal.done",
                                            "response.content_part.done",
                                            "response.output_item.done",
                                            "response.completed"};
    EXPECT_EQ(types(events), expected);
    for (std::size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].at("sequence_number"), i);
    const auto& created = events[0].at("response");
    EXPECT_EQ(created.at("id"), "resp_new");
    EXPECT_EQ(created.at("created_at"), 1700000000);
    EXPECT_EQ(created.at("status"), "in_progress");
    EXPECT_TRUE(created.at("usage").is_null());
    EXPECT_TRUE(created.at("completed_at").is_null());
    EXPECT_EQ(created.at("output"), boost::json::array());
    EXPECT_EQ(events[2].at("item"),
              parsed(R"({"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]})"));
    EXPECT_EQ(events[3].at("part"), parsed(R"({"type":"output_text","text":"","annotations":[],"logprobs":[]})"));
    EXPECT_EQ(events[4].at("delta"), "Hello there");
    EXPECT_EQ(events[4].at("logprobs").as_array().size(), 2U);
    EXPECT_EQ(events[4].at("item_id"), "msg_1");
    EXPECT_EQ(events[4].at("output_index"), 0);
    EXPECT_EQ(events[9].at("content_index"), 1);
    EXPECT_EQ(events[12].at("item"), parsed(kMessage));
    EXPECT_EQ(events[13].at("response"), parsed(*as_json(Dialect::response, response(kMessage), kNow)));
}

TEST(ResponseEvents, ReasoningAndCalls) {
    const std::string all = std::string(kReasoning) + "," + std::string(kCall) + "," + std::string(kCustom);
    const auto events = told(response(all));
    const std::vector<std::string> expected{"response.created",
                                            "response.in_progress",
                                            "response.output_item.added",
                                            "response.reasoning_summary_part.added",
                                            "response.reasoning_summary_text.delta",
                                            "response.reasoning_summary_text.done",
                                            "response.reasoning_summary_part.done",
                                            "response.content_part.added",
                                            "response.reasoning_text.delta",
                                            "response.reasoning_text.done",
                                            "response.content_part.done",
                                            "response.output_item.done",
                                            "response.output_item.added",
                                            "response.function_call_arguments.delta",
                                            "response.function_call_arguments.done",
                                            "response.output_item.done",
                                            "response.output_item.added",
                                            "response.custom_tool_call_input.delta",
                                            "response.custom_tool_call_input.done",
                                            "response.output_item.done",
                                            "response.completed"};
    EXPECT_EQ(types(events), expected);
    EXPECT_EQ(events[3].at("summary_index"), 0);
    EXPECT_FALSE(events[2].at("item").as_object().contains("encrypted_content"));
    EXPECT_EQ(events[11].at("item").at("encrypted_content"), "c2VjcmV0");
    EXPECT_EQ(events[12].at("item").at("arguments"), "");
    EXPECT_EQ(events[14].at("arguments"), R"({"n":12345678901234567890123})");
    EXPECT_EQ(events[17].at("output_index"), 2);
}

// Scenario 65: and back again.
TEST(ResponseEvents, TheEventsTellTheSameAnswer) {
    const std::string text =
        response("{\"id\":\"msg_1\",\"type\":\"message\",\"status\":\"completed\",\"role\":\"assistant\",\"content\":[{"
                 "\"type\":\"output_text\",\"annotations\":[],\"text\":\"" +
                 std::string(1000, 'x') + "\\ud83d\\ude00\"}]}");
    for (const std::string& answer : {response(kMessage), response(kReasoning), response(kCall), response(""), text}) {
        const auto stream = as_events(Dialect::response, answer, kNow, false);
        ASSERT_TRUE(stream) << answer;
        EXPECT_EQ(assembled(Dialect::response, *stream), as_json(Dialect::response, answer, kNow));
        EXPECT_EQ(stream->find("[DONE]"), std::string::npos);
        EXPECT_TRUE(stream->starts_with(
            "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,"));
    }
}

TEST(ResponseEvents, WhatHasNoKnownFormIsNotTold) {
    std::string incomplete = response(kMessage);
    incomplete.replace(incomplete.find("completed\",\"error"), 9, "incomplete");
    for (const std::string& bad :
         {incomplete, response(R"({"id":"ws_1","type":"web_search_call","status":"completed"})"),
          response(R"({"type":"function_call","arguments":"{}"})"), response(R"({"id":"fc_1","type":"function_call"})"),
          response(R"({"id":"msg_1","type":"message","content":[{"type":"output_audio"}]})"),
          response(R"({"id":"msg_1","type":"message","content":"x"})"), std::string("{}"), std::string("x")})
        EXPECT_FALSE(as_events(Dialect::response, bad, kNow, false)) << bad;
}

} // namespace
} // namespace tollgate::api::replay
