#include "gateway/api/completions_via_chat.hpp"
#include "gateway/api/stream_cut.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tollgate::api {
namespace {

namespace json = boost::json;

// The data of each event; `[DONE]` as a string.
std::vector<json::value> events(std::string_view stream) {
    std::vector<json::value> out;
    while (!stream.empty()) {
        const std::size_t end = stream.find("\n\n");
        EXPECT_NE(end, std::string_view::npos) << stream;
        const std::string_view event = stream.substr(0, end);
        const std::string_view data = event.substr(event.find("data: ") + 6);
        if (data == "[DONE]")
            out.emplace_back("[DONE]");
        else
            out.push_back(json::parse(json::string_view(data.data(), data.size())));
        if (event.starts_with("event: ")) {
            const std::string_view name = event.substr(7, event.find('\n') - 7);
            EXPECT_EQ(std::string_view(out.back().at("type").as_string()), name);
        }
        stream.remove_prefix(end + 2);
    }
    return out;
}

constexpr std::string_view kChunk =
    R"({"id":"chatcmpl-1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]})";

TEST(StreamCutTest, scenario_35_aChat_endsWithLengthAndDone) {
    StreamCut cut(Operation::chat, 1);
    cut.observe(kChunk);
    const auto out = events(cut.end({.input = 5, .output = 9}, "budget"));
    ASSERT_EQ(out.size(), 2U);
    EXPECT_EQ(out[0], json::parse(R"({"id":"chatcmpl-1","object":"chat.completion.chunk","created":7,"model":"m",)"
                                  R"("choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}],)"
                                  R"("tollgate":{"stop":"budget"}})"));
    EXPECT_EQ(out[1], "[DONE]");
}

TEST(StreamCutTest, theUsageIsTold_whereItWasAskedFor) {
    StreamCut cut(Operation::chat, 1);
    cut.observe(kChunk);
    const auto out = events(cut.end({.input = 5, .output = 9, .told = true}, "tpm"));
    ASSERT_EQ(out.size(), 3U);
    EXPECT_TRUE(out[0].at("usage").is_null());
    EXPECT_TRUE(out[1].at("choices").as_array().empty());
    EXPECT_EQ(out[1].at("usage"), json::parse(R"({"prompt_tokens":5,"completion_tokens":9,"total_tokens":14})"));
    EXPECT_EQ(out[1].at("id"), "chatcmpl-1");
}

TEST(StreamCutTest, onlyOpenChoicesAreEnded) {
    StreamCut cut(Operation::chat, 3);
    cut.observe(kChunk);
    cut.observe(R"({"id":"x","choices":[{"index":1,"delta":{},"finish_reason":"stop"}]})");
    const auto out = events(cut.end({}, "budget"));
    ASSERT_EQ(out.size(), 3U);
    EXPECT_EQ(out[0].at("choices").at(0).at("index"), 0);
    EXPECT_EQ(out[1].at("choices").at(0).at("index"), 2);
    EXPECT_EQ(out[1].at("id"), "chatcmpl-1");
}

TEST(StreamCutTest, legacyCompletions_directOrThroughChat) {
    StreamCut cut(Operation::text_completion, 1);
    cut.observe(
        R"({"id":"cmpl-1","object":"text_completion","created":7,"model":"m","choices":[{"text":"hi","index":0}]})");
    const auto out = events(cut.end({}, "budget"));
    EXPECT_EQ(out[0].at("choices"), json::parse(R"([{"index":0,"text":"","logprobs":null,"finish_reason":"length"}])"));
    EXPECT_EQ(out[0].at("object"), "text_completion");

    StreamCut chat(Operation::chat, 1);
    chat.observe(kChunk);
    ChatStreamToCompletions converter("public");
    std::string converted;
    std::string whole = chat.end({}, "budget");
    for (std::size_t end = 0; (end = whole.find("\n\n")) != std::string::npos; whole.erase(0, end + 2)) {
        const auto piece = converter.event(whole.substr(0, end + 2));
        ASSERT_TRUE(piece);
        converted += *piece;
    }
    const auto through = events(converted);
    ASSERT_EQ(through.size(), 2U);
    EXPECT_EQ(through[0].at("choices").at(0).at("finish_reason"), "length");
    EXPECT_EQ(through[0].at("object"), "text_completion");
    EXPECT_EQ(through[1], "[DONE]");
}

TEST(StreamCutTest, aResponse_isIncompleteWithWhatWasDelivered) {
    StreamCut cut(Operation::responses, 1);
    for (
        const std::string_view event :
        {R"({"type":"response.created","sequence_number":0,"response":{"id":"resp_1","status":"in_progress","output":[]}})",
         R"({"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"rs_1","type":"reasoning"}})",
         R"({"type":"response.output_item.done","sequence_number":2,"output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}})",
         R"({"type":"response.output_item.added","sequence_number":3,"output_index":1,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}})",
         R"({"type":"response.content_part.added","sequence_number":4,"output_index":1,"content_index":0,"part":{"type":"output_text","text":""}})",
         R"({"type":"response.output_text.delta","sequence_number":5,"output_index":1,"content_index":0,"delta":"Hel"})",
         R"({"type":"response.output_text.delta","sequence_number":6,"output_index":1,"content_index":0,"delta":"lo"})"})
        cut.observe(event);
    const auto out = events(cut.end({.input = 3, .output = 4}, "budget"));
    ASSERT_EQ(out.size(), 4U);
    const std::vector<std::string_view> types{"response.output_text.done", "response.content_part.done",
                                              "response.output_item.done", "response.incomplete"};
    for (std::size_t i = 0; i < out.size(); ++i) {
        EXPECT_EQ(std::string_view(out[i].at("type").as_string()), types[i]);
        EXPECT_EQ(out[i].at("sequence_number"), 7 + static_cast<int>(i));
    }
    EXPECT_EQ(out[0].at("text"), "Hello");
    EXPECT_EQ(out[0].at("item_id"), "msg_1");
    const json::value& response = out[3].at("response");
    EXPECT_EQ(response.at("id"), "resp_1");
    EXPECT_EQ(response.at("status"), "incomplete");
    EXPECT_EQ(response.at("incomplete_details").at("reason"), "max_output_tokens");
    EXPECT_EQ(response.at("output").as_array().size(), 2U);
    EXPECT_EQ(response.at("output").at(0).at("summary"), json::array());
    EXPECT_EQ(response.at("output").at(1).at("status"), "incomplete");
    EXPECT_EQ(response.at("output").at(1).at("content").at(0).at("text"), "Hello");
    EXPECT_EQ(response.at("usage").at("total_tokens"), 7);
    EXPECT_EQ(response.at("tollgate").at("stop"), "budget");
}

TEST(StreamCutTest, whatIsNoJson_isPassedOver) {
    for (const Operation operation : {Operation::chat, Operation::text_completion, Operation::responses}) {
        StreamCut cut(operation, 1);
        for (const std::string_view data : {"", "[DONE]", "{", "[]", R"({"choices":7,"output_index":0,"item":1})"})
            cut.observe(data);
        EXPECT_FALSE(events(cut.end({}, "budget")).empty());
    }
}

} // namespace
} // namespace tollgate::api
