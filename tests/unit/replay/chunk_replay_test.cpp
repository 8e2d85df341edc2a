#include "tests/unit/replay/telling.hpp"

#include <gtest/gtest.h>

namespace tollgate::api::replay {
namespace {

constexpr std::string_view kAnswer = R"({
  "id": "chatcmpl-abc", "object": "chat.completion", "created": 12, "model": "m-1",
  "choices": [{"index": 0,
    "message": {"role": "assistant", "content": "Hello", "refusal": null, "annotations": []},
    "logprobs": null, "finish_reason": "stop"}],
  "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3,
            "completion_tokens_details": {"reasoning_tokens": 0}},
  "service_tier": "default", "system_fingerprint": null, "big": 123456789012345678901
})";

std::vector<std::string> events(std::string_view answer, bool usage = true, Dialect dialect = Dialect::chat) {
    const auto stream = as_events(dialect, answer, kNow, usage);
    return stream ? data_of(*stream) : std::vector<std::string>{};
}

std::string message(std::string_view inside, std::string_view more = R"("finish_reason":"stop")") {
    return R"({"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant",)" +
           std::string(inside) + "}," + std::string(more) + R"(}],"usage":{"total_tokens":3}})";
}

// JSON → events → JSON: all of it but id, created and what says nothing.
void expect_survives(const std::string& answer) {
    const auto stream = as_events(Dialect::chat, answer, kNow, true);
    ASSERT_TRUE(stream) << answer;
    const auto whole = assembled(Dialect::chat, *stream);
    ASSERT_TRUE(whole) << *stream;
    EXPECT_EQ(parsed(*whole), parsed(*as_json(Dialect::chat, answer, kNow))) << *stream;
}

TEST(AsJson, OnlyIdAndCreatedAreNew) {
    std::string expected(kAnswer);
    expected.replace(expected.find("chatcmpl-abc"), 12, "chatcmpl-new");
    expected.replace(expected.find("12,"), 2, "1700000000");
    EXPECT_EQ(as_json(Dialect::chat, kAnswer, kNow), expected);
}

TEST(AsJson, ThePrefixStaysTheProvidersOwn) {
    const auto id = [](std::string_view kept, Dialect dialect = Dialect::chat) {
        return *as_json(dialect, "{\"id\":\"" + std::string(kept) + "\"}", kNow);
    };
    EXPECT_EQ(id("gen-1731-x"), R"({"id":"gen-new"})");
    EXPECT_EQ(id("cmpl-1", Dialect::completion), R"({"id":"cmpl-new"})");
    EXPECT_EQ(id("resp_1_2", Dialect::response), R"({"id":"resp_new"})");
    EXPECT_EQ(id("8f14e45fceea167a5a36dedd4bea2543"), R"({"id":"chatcmpl-new"})");
    EXPECT_EQ(id("", Dialect::response), R"({"id":"resp_new"})");
    EXPECT_EQ(id("\\u0022-x"), R"({"id":"chatcmpl-new"})");
    EXPECT_EQ(as_json(Dialect::chat, R"({"id":null,"created":null})", kNow), R"({"id":null,"created":null})");
    EXPECT_EQ(as_json(Dialect::response, R"({"created_at":1.5,"completed_at":2,"x":{"id":"a"}})", kNow),
              R"({"created_at":1700000000,"completed_at":1700000000,"x":{"id":"a"}})");
    for (const std::string_view broken : {"", "[]", "{\"a\"}", "{\"a\":1", "x"})
        EXPECT_FALSE(as_json(Dialect::chat, broken, kNow)) << broken;
}

TEST(ChunkEvents, ATextIsToldAsProvidersDo) {
    const auto told = events(kAnswer);
    ASSERT_EQ(told.size(), 6U);
    const std::string_view head =
        R"({"id":"chatcmpl-new","object":"chat.completion.chunk","created":1700000000,"model":"m-1","service_tier":"default")";
    EXPECT_EQ(
        told[0],
        std::string(head) +
            R"(,"big":123456789012345678901,"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null})");
    EXPECT_EQ(
        told[1],
        std::string(head) +
            R"(,"choices":[{"index":0,"delta":{"content":"Hello"},"logprobs":null,"finish_reason":null}],"usage":null})");
    EXPECT_EQ(
        told[2],
        std::string(head) +
            R"(,"choices":[{"index":0,"delta":{"annotations":[]},"logprobs":null,"finish_reason":null}],"usage":null})");
    EXPECT_EQ(told[3],
              std::string(head) +
                  R"(,"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null})");
    EXPECT_EQ(
        told[4],
        std::string(head) +
            R"(,"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"completion_tokens_details":{"reasoning_tokens":0}}})");
    EXPECT_EQ(told[5], "[DONE]");
}

// Scenario 65: the usage chunk, and the key, only on include_usage.
TEST(ChunkEvents, UsageIsToldOnlyIfAskedFor) {
    const auto told = events(kAnswer, false);
    ASSERT_EQ(told.size(), 5U);
    for (const std::string& data : told) EXPECT_EQ(data.find("usage"), std::string::npos);
    const std::string without = R"({"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}]})";
    EXPECT_TRUE(as_events(Dialect::chat, without, kNow, false));
    EXPECT_FALSE(as_events(Dialect::chat, without, kNow, true)) << "asked for and unknown";
}

TEST(ChunkEvents, LongTextsComeInPiecesThatCutNoCharacter) {
    std::string text;
    for (int i = 0; i < 200; ++i)
        text += i % 7 == 0 ? "\\ud83d\\ude00" : i % 5 == 0 ? "\xF0\x9F\x98\x80" : i % 3 == 0 ? "word " : "\\n\\u00e9";
    const std::string answer = message("\"content\":\"" + text + '"');
    std::size_t pieces = 0;
    for (const std::string& data : events(answer)) {
        if (data == "[DONE]") continue;
        const auto value = parse_value(data, {}); // refuses halves of characters
        ASSERT_TRUE(value) << data;
        pieces += data.find("\"content\":\"") != std::string::npos ? 1 : 0;
    }
    EXPECT_GT(pieces, text.size() / 256);
    EXPECT_LT(pieces, text.size() / 64);
    expect_survives(answer);
    expect_survives(message("\"content\":\"" + std::string(5000, 'x') + '"'));
}

TEST(ChunkEvents, EverythingAMessageCanHoldSurvives) {
    expect_survives(message(R"("content":null,"refusal":"I can't help with that.")"));
    expect_survives(message(
        R"("content":"42","reasoning_content":"think","annotations":[{"type":"url_citation","url_citation":{"start_index":1}}])"));
    expect_survives(message(R"("content":"42","reasoning":"think","vendor":{"signature":"c2ln"})"));
    expect_survives(message(
        R"("content":null,"tool_calls":[{"id":"call_a","type":"function","function":{"name":"f","arguments":"{\"x\":\"\u00e9\"}"}},)"
        R"({"id":"call_b","type":"function","function":{"name":"g","arguments":"{}"},"extra_content":{"google":{"thought_signature":"x"}}},)"
        R"({"id":"call_c","type":"custom","custom":{"name":"sql","input":"select 1"}}])",
        R"("finish_reason":"tool_calls")"));
    expect_survives(message(R"("content":null,"function_call":{"name":"f","arguments":"{}"})",
                            R"("finish_reason":"function_call")"));
    expect_survives(message(R"("content":"cut")", R"("finish_reason":"length","stop_reason":7)"));
    expect_survives(message(R"("content":"")"));
}

TEST(ChunkEvents, ToolCallsNameAndIdentifyThemselvesOnce) {
    const std::string arguments = "{\\\"text\\\":\\\"" + std::string(600, 'y') + "\\\"}";
    const auto told = events(message(
        R"("content":null,"tool_calls":[{"id":"call_a","type":"function","function":{"name":"f","arguments":")" +
        arguments + R"("}}])"));
    std::size_t ids = 0, names = 0, deltas = 0;
    for (const std::string& data : told) {
        ids += data.find("call_a") != std::string::npos;
        names += data.find("\"name\"") != std::string::npos;
        deltas += data.find(R"("tool_calls":[{"index":0)") != std::string::npos;
    }
    EXPECT_EQ(ids, 1U);
    EXPECT_EQ(names, 1U);
    EXPECT_GT(deltas, 3U);
}

TEST(ChunkEvents, LogprobsTravelWithTheirTokens) {
    std::string text, entries;
    for (int i = 0; i < 60; ++i) {
        const std::string token = i % 2 == 0 ? " tok" + std::to_string(i) : "\\n";
        text += token;
        entries += (i == 0 ? "" : ",") + std::string(R"({"token":")") + token +
                   R"(","logprob":-0.1000000000000000055,"bytes":null,"top_logprobs":[]})";
    }
    const std::string answer =
        message("\"content\":\"" + text + "\",\"refusal\":null",
                R"("logprobs":{"content":[)" + entries + R"(],"refusal":null},"finish_reason":"stop")");
    expect_survives(answer);
    for (const std::string& data : events(answer)) {
        if (data == "[DONE]") continue;
        const auto value = parsed(data);
        if (value.at("choices").as_array().empty()) continue;
        const auto& choice = value.at("choices").at(0);
        if (!choice.at("logprobs").is_object()) continue;
        std::string told;
        for (const auto& entry : choice.at("logprobs").at("content").as_array())
            told += entry.at("token").as_string().c_str();
        const auto* content = choice.at("delta").as_object().if_contains("content");
        EXPECT_EQ(told, content == nullptr ? "" : std::string(content->as_string().c_str()));
    }
    // Tokens that are not the text, more than pieces, and for a refusal: spread, none lost.
    expect_survives(message("\"content\":\"" + std::string(700, 'x') + '"',
                            R"("logprobs":{"content":[)" + entries + R"(],"refusal":null},"finish_reason":"stop")"));
    expect_survives(message(R"("content":null,"refusal":"no")",
                            R"("logprobs":{"content":null,"refusal":[)" + entries + R"(]},"finish_reason":"stop")"));
    expect_survives(message(R"("content":"x")", R"("logprobs":{"content":[],"refusal":[]},"finish_reason":"stop")"));
    expect_survives(message(R"("content":"x")", R"("logprobs":null,"finish_reason":"stop")"));
}

TEST(ChunkEvents, SeveralChoices) {
    expect_survives(R"({"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[
        {"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"},
        {"index":1,"message":{"role":"assistant","content":"b"},"finish_reason":"length"}],"usage":{"total_tokens":3}})");
}

TEST(ChunkEvents, MembersThatSayNothingAreLeftOut) {
    const auto stream = as_events(
        Dialect::chat,
        message(R"("content":"x","tool_calls":[],"function_call":null,"audio":null,"reasoning_content":null)"), kNow,
        true);
    ASSERT_TRUE(stream);
    for (const std::string_view name : {"tool_calls", "function_call", "audio", "reasoning_content"})
        EXPECT_EQ(stream->find(name), std::string::npos) << name;
}

TEST(ChunkEvents, WhatHasNoKnownFormIsNotTold) {
    for (const std::string& bad :
         {message(R"("content":[{"type":"text","text":"x"}])"), message(R"("content":null,"audio":{"id":"a"})"),
          message(R"("content":null,"tool_calls":[{"id":"a","type":"odd"}])"),
          message(R"("content":null,"tool_calls":[{"type":"function","function":{"name":"f","arguments":"{}"}}])"),
          message(R"("content":null,"tool_calls":[{"id":"a","function":{"name":"f","arguments":{}}}])"),
          message(R"("content":null,"function_call":{"arguments":"{}"})"),
          message(R"("content":"x")", R"("finish_reason":null)"),
          message(R"("content":"x")", R"("logprobs":{"content":[],"odd":[]},"finish_reason":"stop")"),
          message(R"("content":"x","content":"y")"), std::string("{}"), std::string("[]"), std::string("x"),
          std::string(R"({"choices":[{"index":0}]})")})
        EXPECT_FALSE(as_events(Dialect::chat, bad, kNow, true)) << bad;
}

TEST(ChunkEvents, LegacyCompletions) {
    const std::string answer = R"({"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[
        {"text":"ab","index":0,"logprobs":{"tokens":["a","b"],"token_logprobs":[null,-1.50],"top_logprobs":null,"text_offset":[0,1]},"finish_reason":"stop"},
        {"text":"c","index":1,"logprobs":null,"finish_reason":"length"}],"usage":{"total_tokens":3}})";
    const auto stream = as_events(Dialect::completion, answer, kNow, true);
    ASSERT_TRUE(stream);
    EXPECT_EQ(stream->find("delta"), std::string::npos);
    const auto whole = assembled(Dialect::completion, *stream);
    ASSERT_TRUE(whole) << *stream;
    EXPECT_EQ(parsed(*whole), parsed(*as_json(Dialect::completion, answer, kNow)));
    EXPECT_FALSE(as_events(
        Dialect::completion,
        R"({"choices":[{"text":"a","index":0,"logprobs":{"tokens":["a"],"text_offset":[]},"finish_reason":"stop"}]})",
        kNow, false));
    EXPECT_FALSE(as_events(Dialect::completion, R"({"choices":[{"index":0,"finish_reason":"stop"}]})", kNow, false));
}

} // namespace
} // namespace tollgate::api::replay
