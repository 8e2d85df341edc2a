#include "tests/unit/replay/telling.hpp"

#include <gtest/gtest.h>

namespace tollgate::api::replay {
namespace {

// The one choice of an assembled chat stream.
boost::json::value choice_of(const std::string& deltas) {
    const auto whole = assembled(Dialect::chat, deltas + ending());
    if (!whole) return "not kept";
    return parsed(*whole).at("choices").at(0);
}

bool kept(const std::string& deltas) {
    return assembled(Dialect::chat, deltas + ending()).has_value();
}

TEST(StreamAssembler, TextBecomesTheAnswerWithoutStream) {
    const auto whole = assembled(
        Dialect::chat,
        chunk(
            R"({"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null})",
            R"(,"service_tier":"default","system_fingerprint":"fp_1","obfuscation":"aX","usage":null)") +
            delta(R"("content":"Hel")") + ": keep-alive\n\n" + delta(R"("content":"lo")") + delta("", "\"stop\"") +
            ending());
    ASSERT_TRUE(whole);
    EXPECT_EQ(parsed(*whole),
              parsed(R"({"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[
        {"index":0,"message":{"role":"assistant","content":"Hello","refusal":null},"logprobs":null,"finish_reason":"stop"}],
        "usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"completion_tokens_details":{"reasoning_tokens":2}},
        "service_tier":"default","system_fingerprint":"fp_1"})"));
}

// Scenario 65: 4 octets of one character in two chunks, as octets and as halves of an escaped pair.
TEST(StreamAssembler, CharactersCutBetweenChunksAreWholeAgain) {
    const std::string grin = "\xF0\x9F\x98\x80";
    for (std::size_t cut = 1; cut < 4; ++cut) {
        const auto choice = choice_of(delta("\"content\":\"" + grin.substr(0, cut) + '"') +
                                      delta("\"content\":\"" + grin.substr(cut) + '"', "\"stop\""));
        EXPECT_EQ(choice.at("message").at("content"), grin.c_str());
    }
    const auto choice = choice_of(delta(R"("content":"\ud83d")") + delta(R"("content":"\ude00")", "\"stop\""));
    EXPECT_EQ(choice.at("message").at("content"), grin.c_str());
}

TEST(StreamAssembler, AnySegmentationOfTheStreamIsTheSame) {
    const std::string stream = delta(R"("role":"assistant","content":"")") +
                               delta("\"content\":\"\xF0\x9F\x98\x80 \xC3\xA9\"") + delta("", "\"stop\"") + ending();
    const auto whole = assembled(Dialect::chat, stream);
    ASSERT_TRUE(whole);
    for (std::size_t step = 1; step < 80; ++step) EXPECT_EQ(assembled(Dialect::chat, stream, step), whole);
}

TEST(StreamAssembler, ParallelToolCallsAreMergedByIndex) {
    const auto choice = choice_of(
        delta(R"("role":"assistant","content":null)") +
        delta(R"("tool_calls":[{"index":0,"id":"call_a","type":"function","function":{"name":"f","arguments":""}}])") +
        delta(R"("tool_calls":[{"index":1,"id":"call_b","type":"function","function":{"name":"g","arguments":""}}])") +
        delta(
            R"("tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}},{"index":1,"function":{"arguments":"{}"}}])") +
        delta(R"("tool_calls":[{"index":0,"id":"","function":{"name":null,"arguments":"12345678901234567890123}"}}])") +
        delta("", "\"tool_calls\""));
    EXPECT_EQ(choice.at("message"), parsed(R"({"role":"assistant","content":null,"tool_calls":[
        {"id":"call_a","type":"function","function":{"name":"f","arguments":"{\"x\":12345678901234567890123}"}},
        {"id":"call_b","type":"function","function":{"name":"g","arguments":"{}"}}]})"));
    EXPECT_EQ(choice.at("finish_reason"), "tool_calls");
}

TEST(StreamAssembler, CustomToolsAndTheOldFunctionCall) {
    const auto custom = choice_of(
        delta(R"("tool_calls":[{"index":0,"id":"call_a","type":"custom","custom":{"name":"sql","input":"sel"}}])") +
        delta(R"("tool_calls":[{"index":0,"custom":{"input":"ect"}}])", "\"tool_calls\""));
    EXPECT_EQ(custom.at("message").at("tool_calls").at(0),
              parsed(R"({"id":"call_a","type":"custom","custom":{"name":"sql","input":"select"}})"));
    const auto old = choice_of(delta(R"("function_call":{"name":"f","arguments":"{"})") +
                               delta(R"("function_call":{"arguments":"}"})", "\"function_call\""));
    EXPECT_EQ(old.at("message").at("function_call"), parsed(R"({"name":"f","arguments":"{}"})"));
}

TEST(StreamAssembler, ReasoningRefusalAnnotationsAndUnknownMembersSurvive) {
    const auto choice = choice_of(
        delta(R"("role":"assistant","content":"")") + delta(R"("reasoning_content":"think ")") +
        delta(R"("reasoning_content":"hard","content":null)") + delta(R"("content":"42")") +
        delta(R"("annotations":[{"type":"url_citation","url_citation":{"url":"https://a.example","start_index":0}}])") +
        delta(R"("annotations":[{"type":"url_citation"}],"vendor":{"signature":"c2ln","n":0.10})", "\"stop\""));
    EXPECT_EQ(choice.at("message"), parsed(R"({"role":"assistant","content":"42","reasoning_content":"think hard",
        "annotations":[{"type":"url_citation","url_citation":{"url":"https://a.example","start_index":0}},{"type":"url_citation"}],
        "vendor":{"signature":"c2ln","n":0.10}})"));
    const auto refusal = choice_of(delta(R"("role":"assistant","content":"","refusal":null)") +
                                   delta(R"("refusal":"I ")") + delta(R"("refusal":"won't")", "\"stop\""));
    EXPECT_EQ(refusal.at("message"), parsed(R"({"role":"assistant","content":null,"refusal":"I won't"})"));
}

TEST(StreamAssembler, LogprobsAreConcatenatedWithTheirDigits) {
    const auto token = [](std::string_view text, std::string_view number) {
        return chunk(R"({"index":0,"delta":{"content":")" + std::string(text) +
                     R"("},"logprobs":{"content":[{"token":")" + std::string(text) + R"(","logprob":)" +
                     std::string(number) + R"(,"bytes":[1],"top_logprobs":[]}],"refusal":null},"finish_reason":null})");
    };
    const auto whole = assembled(Dialect::chat, token("a", "-0.10000000000000000555") + token("b", "-1e-400") +
                                                    delta("", "\"stop\"") + ending());
    ASSERT_TRUE(whole);
    EXPECT_NE(
        whole->find(
            R"("logprobs":{"content":[{"token":"a","logprob":-0.10000000000000000555,"bytes":[1],"top_logprobs":[]},)"
            R"({"token":"b","logprob":-1e-400,"bytes":[1],"top_logprobs":[]}],"refusal":null})"),
        std::string::npos)
        << *whole;
}

TEST(StreamAssembler, SeveralChoicesInterleave) {
    const auto whole = assembled(Dialect::chat, delta(R"("content":"b1")", "null", 1) + delta(R"("content":"a1")") +
                                                    delta(R"("content":"b2")", "\"length\"", 1) +
                                                    delta(R"("content":"a2")", "\"stop\"") + ending());
    ASSERT_TRUE(whole);
    const auto choices = parsed(*whole).at("choices");
    EXPECT_EQ(choices.at(0).at("message").at("content"), "a1a2");
    EXPECT_EQ(choices.at(1).at("message").at("content"), "b1b2");
    EXPECT_EQ(choices.at(1).at("finish_reason"), "length");
}

TEST(StreamAssembler, OddFramesOfProvidersAreUnderstood) {
    // Azure: a frame without choices, model and id; what it says of the prompt is kept.
    const auto whole = assembled(
        Dialect::chat,
        R"(data: {"id":"","model":"","choices":[],"prompt_filter_results":[{"prompt_index":0}]})"
        "\n\n" +
            chunk(R"({"index":0,"delta":{"content":"x"},"content_filter_results":{},"finish_reason":null})") +
            chunk(R"({"index":0,"delta":{},"stop_reason":null,"finish_reason":"stop"})", R"(,"x_groq":{"id":"r"})") +
            ending());
    ASSERT_TRUE(whole);
    EXPECT_EQ(parsed(*whole).at("model"), "m");
    EXPECT_EQ(parsed(*whole).at("prompt_filter_results"), parsed(R"([{"prompt_index":0}])"));
    // Usage on every chunk: the last one counts.
    const auto usage = assembled(Dialect::chat, chunk(R"({"index":0,"delta":{"content":"x"},"finish_reason":null})",
                                                      R"(,"usage":{"total_tokens":1})") +
                                                    delta("", "\"stop\"") + ending());
    ASSERT_TRUE(usage);
    EXPECT_EQ(parsed(*usage).at("usage").at("total_tokens"), 12);
}

// Scenario 67 and its neighbours: never a wrong object.
TEST(StreamAssembler, WhatCannotBeMergedFaithfullyIsNotKept) {
    const std::string fine = delta(R"("content":"x")", "\"stop\"");
    ASSERT_TRUE(kept(fine));
    EXPECT_FALSE(assembled(Dialect::chat, fine)) << "no end";
    EXPECT_FALSE(assembled(Dialect::chat, fine + chunk("", kUsage))) << "no end";
    const auto without_usage = assembled(Dialect::chat, fine + "data: [DONE]\n\n");
    ASSERT_TRUE(without_usage);
    EXPECT_FALSE(parsed(*without_usage).as_object().contains("usage"));
    EXPECT_FALSE(assembled(Dialect::chat, ending())) << "no choice";
    for (const std::string& bad : {
             delta(R"("content":"x")"),                                                // never finished
             delta(R"("content":"x")", "\"stop\"", 1),                                 // choice 0 is missing
             delta(R"("content":"x")", "\"stop\"", 128),                               // no index
             fine + delta(R"("content":"more")"),                                      // goes on after its end
             fine + delta("", "\"length\""),                                           // ends twice
             fine + std::string("data: {\"error\":{\"message\":\"overloaded\"}}\n\n"), //
             fine + std::string("data: not json\n\n"),                                 //
             delta(R"("audio":{"id":"a","data":"AAAA"})") + fine,                      //
             delta(R"("content":[{"type":"text","text":"x"}])") + fine,                //
             delta(R"("vendor":"a")") + delta(R"("vendor":"a")") + fine,               // a text, or a word?
             delta(R"("vendor":[1])") + delta(R"("vendor":[2])") + fine,               //
             delta(R"("role":"assistant")") + delta(R"("role":"tool")") + fine,        //
             delta(R"("content":"x","content":"y")") + fine,                           // twice in one
             delta(R"("tool_calls":[{"id":"c","function":{"name":"f","arguments":""}}])") + fine,    // no index
             delta(R"("tool_calls":[{"index":1,"id":"c","function":{"name":"f"}}])") + fine,         // no call 0
             delta(R"("tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}}])") + fine, // no id
             delta(R"("tool_calls":[{"index":0,"id":"c","function":{"arguments":"{}"}}])") + fine,   // no name
             delta(R"("tool_calls":[{"index":0,"id":"c","function":{"name":"f"}}])") +
                 delta(R"("tool_calls":[{"index":0,"id":"d","function":{"arguments":"{}"}}])", "\"tool_calls\""),
             chunk(R"({"index":0,"delta":{},"logprobs":{"content":"x"},"finish_reason":null})") + fine,
             fine + std::string("data: {\"model\":\"other\",\"choices\":[]}\n\n"),
         })
        EXPECT_FALSE(kept(bad)) << bad;
    EXPECT_FALSE(assembled(Dialect::chat, fine + ending() + fine)) << "something behind the end";
}

// Scenario 75.
TEST(StreamAssembler, HoldsNoMoreThanItMay) {
    StreamAssembler assembler(Dialect::chat, 10000);
    for (int i = 0; i < 1000 && !assembler.failed(); ++i) {
        const std::string event = delta("\"content\":\"" + std::string(100, 'x') + '"');
        assembler.feed(std::string_view(event).substr(6));
        EXPECT_LE(assembler.held(), 10000U);
    }
    EXPECT_TRUE(assembler.failed());
    EXPECT_EQ(assembler.held(), 0U);
    EXPECT_FALSE(assembler.finish());
}

TEST(StreamAssembler, LegacyCompletions) {
    const auto piece = [](std::string_view text, std::string_view logprobs, std::string_view reason) {
        return R"(data: {"id":"cmpl-1","object":"text_completion","created":5,"model":"m","choices":[{"text":")" +
               std::string(text) + R"(","index":0,"logprobs":)" + std::string(logprobs) + R"(,"finish_reason":)" +
               std::string(reason) + "}]}\n\n";
    };
    const std::string end = "data: {\"choices\":[],\"usage\":{\"total_tokens\":3}}\n\ndata: [DONE]\n\n";
    const auto whole = assembled(
        Dialect::completion,
        piece("a", R"({"tokens":["a"],"token_logprobs":[-0.5],"top_logprobs":null,"text_offset":[0]})", "null") +
            piece("b", R"({"tokens":["b"],"token_logprobs":[-1.50],"top_logprobs":null,"text_offset":[1]})", "null") +
            piece("", "null", "\"stop\"") + end);
    ASSERT_TRUE(whole);
    EXPECT_EQ(parsed(*whole), parsed(R"({"id":"cmpl-1","object":"text_completion","created":5,"model":"m","choices":[
        {"text":"ab","index":0,"logprobs":{"tokens":["a","b"],"token_logprobs":[-0.5,-1.5],"top_logprobs":null,
        "text_offset":[0,1]},"finish_reason":"stop"}],"usage":{"total_tokens":3}})"));
    EXPECT_FALSE(assembled(Dialect::completion, piece("a", "null", "null") + end));
}

TEST(StreamAssembler, AResponseIsTheOneThatItsLastEventTells) {
    const std::string item = "data: {\"type\":\"response.output_item.done\",\"item\":{}}\n\n";
    const std::string response =
        R"({"id":"resp_1","status":"completed","output":[{}],"usage":{"total_tokens":1},"big":123456789012345678901})";
    const std::string completed =
        "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":" + response + "}\n\n";
    EXPECT_EQ(assembled(Dialect::response, item + completed), response);
    EXPECT_EQ(assembled(Dialect::response, item + completed + "data: [DONE]\n\n"), response);
    EXPECT_FALSE(assembled(Dialect::response, completed)) << "an item was not told";
    EXPECT_FALSE(assembled(Dialect::response, item + item + completed));
    EXPECT_FALSE(assembled(Dialect::response, item + completed + item)) << "something behind the end";
    EXPECT_FALSE(assembled(Dialect::response, item)) << "no end";
    EXPECT_FALSE(assembled(Dialect::response, item + completed, 1 << 20, 50)) << "too large";
    for (const std::string_view type : {"error", "response.failed", "response.incomplete"})
        EXPECT_FALSE(
            assembled(Dialect::response, item + "data: {\"type\":\"" + std::string(type) + "\"}\n\n" + completed));
}

} // namespace
} // namespace tollgate::api::replay
