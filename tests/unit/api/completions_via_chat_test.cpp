#include "gateway/api/completions_via_chat.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace tollgate::api {
namespace {

namespace json = boost::json;

json::value request(std::string_view body) {
    const auto out = completions_to_chat_request(body, "up");
    EXPECT_TRUE(out) << (out ? "" : out.error().message);
    return out ? json::parse(*out) : json::value();
}

std::string refused_param(std::string_view body) {
    const auto out = completions_to_chat_request(body, "up");
    if (out) return "accepted";
    EXPECT_EQ(out.error().status, 400);
    return out.error().param;
}

TEST(CompletionsRequest, prompt_becomes_one_user_message) {
    const json::value expected =
        json::parse(R"({"model":"up","messages":[{"role":"user","content":"Say é😀"}],"max_tokens":16})");
    EXPECT_EQ(request(R"({"model":"text-davinci-003","prompt":"Say é😀"})"), expected);
    EXPECT_EQ(request(R"({"prompt":["Say \u00e9\ud83d\ude00"],"max_tokens":null})"), expected);
}

TEST(CompletionsRequest, other_parameters_survive_exactly) {
    const auto out = completions_to_chat_request(
        R"({"prompt":"x","seed":9007199254740993,"max_tokens":5,"temperature":0.7,"n":2,"stop":["a"],"stream":true,
            "stream_options":{"include_usage":true},"logit_bias":{"50256":-100},"user":"u","unknown":{"a":[1]}})",
        "up");
    ASSERT_TRUE(out);
    EXPECT_NE(out->find("9007199254740993"), std::string::npos) << *out;
    EXPECT_EQ(json::parse(*out),
              json::parse(R"({"messages":[{"role":"user","content":"x"}],"model":"up","seed":9007199254740993,
            "max_tokens":5,"temperature":0.7,"n":2,"stop":["a"],"stream":true,"stream_options":{"include_usage":true},
            "logit_bias":{"50256":-100},"user":"u","unknown":{"a":[1]}})"))
        << *out;
    const auto unsigned_seed = completions_to_chat_request(R"({"prompt":"x","seed":18446744073709551615})", "up");
    ASSERT_TRUE(unsigned_seed);
    EXPECT_NE(unsigned_seed->find("18446744073709551615"), std::string::npos) << *unsigned_seed;
}

TEST(CompletionsRequest, untranslatable_parameters_are_named) {
    EXPECT_EQ(refused_param(R"({"prompt":"x","suffix":"y"})"), "suffix");
    EXPECT_EQ(refused_param(R"({"prompt":"x","best_of":2})"), "best_of");
    EXPECT_EQ(refused_param(R"({"prompt":"x","echo":true})"), "echo");
    EXPECT_EQ(refused_param(R"({"prompt":"x","logprobs":0})"), "logprobs");
    EXPECT_EQ(refused_param(R"({"prompt":"x","messages":[]})"), "messages");
    for (const char* prompt : {"[\"a\",\"b\"]", "[]", "[1,2]", "[[1,2]]", "5", "{}", "null"})
        EXPECT_EQ(refused_param(std::string("{\"prompt\":") + prompt + "}"), "prompt") << prompt;
    EXPECT_EQ(refused_param("{}"), "prompt");
    EXPECT_EQ(refused_param("[]"), "");
    EXPECT_EQ(refused_param("{\"prompt\":\"x\",\"a\":" + std::string(100'000, '[')), "");
}

TEST(CompletionsRequest, harmless_values_of_them_are_dropped) {
    EXPECT_EQ(request(R"({"prompt":"","suffix":null,"best_of":1,"echo":false,"logprobs":null})"),
              json::parse(R"({"model":"up","messages":[{"role":"user","content":""}],"max_tokens":16})"));
}

json::value answer(std::string_view body) {
    const auto out = chat_to_completions_answer(body, "davinci");
    EXPECT_TRUE(out) << (out ? "" : out.error().message);
    return out ? json::parse(*out) : json::value();
}

TEST(CompletionsAnswer, golden) {
    EXPECT_EQ(answer(R"({"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"gpt-4o-mini-x",
        "choices":[{"index":0,"message":{"role":"assistant","content":"Hé 😀"},"logprobs":null,"finish_reason":"stop"},
                   {"index":1,"message":{"role":"assistant","content":""},"finish_reason":"length"}],
        "usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"prompt_tokens_details":{"cached_tokens":0}},
        "system_fingerprint":"fp"})"),
              json::parse(R"({"id":"cmpl-1","object":"text_completion","created":1700000000,"model":"davinci",
        "choices":[{"text":"Hé 😀","index":0,"logprobs":null,"finish_reason":"stop"},
                   {"text":"","index":1,"logprobs":null,"finish_reason":"length"}],
        "usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"prompt_tokens_details":{"cached_tokens":0}},
        "system_fingerprint":"fp"})"));
}

TEST(CompletionsAnswer, tool_calls_refusals_and_parts) {
    const json::value body = answer(R"({"id":"x","choices":[
        {"index":0,"message":{"content":null,"tool_calls":[{"id":"c"}]},"finish_reason":"tool_calls"},
        {"index":1,"message":{"content":null,"refusal":"no"},"finish_reason":"content_filter"},
        {"index":2,"message":{"content":[{"type":"text","text":"a"},{"type":"image"},{"type":"text","text":"b"}]}}]})");
    EXPECT_EQ(body.at("id").as_string(), "cmpl-x");
    EXPECT_EQ(body.at("choices"), json::parse(R"([
        {"text":"","index":0,"logprobs":null,"finish_reason":"stop"},
        {"text":"no","index":1,"logprobs":null,"finish_reason":"content_filter"},
        {"text":"ab","index":2,"logprobs":null,"finish_reason":null}])"));
}

TEST(CompletionsAnswer, other_answers_are_the_providers_fault) {
    for (const char* body :
         {"", "<html>", "[]", "{}", R"({"choices":{}})", R"({"error":{"message":"x"}})", "{\"choices\":["}) {
        const auto out = chat_to_completions_answer(body, "m");
        ASSERT_FALSE(out) << body;
        EXPECT_EQ(out.error().status, 502) << body;
        EXPECT_EQ(out.error().type, ErrorType::provider_bad_response) << body;
    }
}

class ViaChatStream : public testing::Test {
  protected:
    std::string feed(std::string_view text) {
        const auto out = stream_.event(text);
        EXPECT_TRUE(out) << (out ? "" : out.error().message);
        return out ? *out : std::string();
    }
    json::value chunk(std::string_view text) {
        const std::string out = feed(text);
        EXPECT_TRUE(out.starts_with("data: ") && out.ends_with("\n\n")) << out;
        EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 2) << out;
        return out.size() < 8 ? json::value() : json::parse(std::string_view(out).substr(6));
    }
    static std::string with(std::string_view choices, std::string_view more = "") {
        return R"(data: {"id":"chatcmpl-7","object":"chat.completion.chunk","created":5,"model":"up","choices":)" +
               std::string(choices) + std::string(more) + "}\n\n";
    }

  private:
    ChatStreamToCompletions stream_{"davinci"};
};

TEST_F(ViaChatStream, a_whole_answer) {
    EXPECT_EQ(
        feed(with(R"([{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"finish_reason":null}])")),
        "");
    EXPECT_EQ(chunk(with(R"([{"index":0,"delta":{"content":"Hé 😀"},"finish_reason":null}])", R"(,"usage":null)")),
              json::parse(R"({"id":"cmpl-7","object":"text_completion","created":5,"model":"davinci","usage":null,
                "choices":[{"text":"Hé 😀","index":0,"logprobs":null,"finish_reason":null}]})"));
    EXPECT_EQ(chunk(with(R"([{"index":0,"delta":{},"finish_reason":"length"}])")).at("choices"),
              json::parse(R"([{"text":"","index":0,"logprobs":null,"finish_reason":"length"}])"));
    EXPECT_EQ(chunk(with("[]", R"(,"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3})")),
              json::parse(R"({"id":"cmpl-7","object":"text_completion","created":5,"model":"davinci","choices":[],
                "usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}})"));
    EXPECT_EQ(feed("data: [DONE]\n\n"), "data: [DONE]\n\n");
}

TEST_F(ViaChatStream, tool_calls_end_as_stop_without_text) {
    EXPECT_EQ(feed(with(R"([{"index":0,"delta":{"content":null,"tool_calls":[{"index":0,"id":"c"}]}}])")), "");
    EXPECT_EQ(
        chunk(with(R"([{"index":0,"delta":{},"finish_reason":"tool_calls"}])")).at("choices").at(0).at("finish_reason"),
        "stop");
}

TEST_F(ViaChatStream, only_choices_that_say_something_are_kept) {
    EXPECT_EQ(
        chunk(with(R"([{"index":0,"delta":{"role":"assistant"}},{"index":1,"delta":{"content":"x"}}])")).at("choices"),
        json::parse(R"([{"text":"x","index":1,"logprobs":null,"finish_reason":null}])"));
    EXPECT_EQ(feed(with("[]", R"(,"prompt_filter_results":[])")), "") << "Azure's first frame";
}

TEST_F(ViaChatStream, framing_variants) {
    EXPECT_EQ(feed(": ping\n\n"), ": ping\n\n");
    EXPECT_EQ(feed(":\r\n\r\n"), ":\n\n");
    EXPECT_EQ(feed("\n"), "");
    EXPECT_EQ(feed(""), "");
    EXPECT_EQ(feed("event: x\nid: 5\nretry: 3\n\n"), "");
    EXPECT_EQ(feed("data:[DONE]\r\n\r\n"), "data: [DONE]\n\n");
    const json::value split =
        chunk("id: 1\r\ndata: {\"id\":\"a\",\"choices\":\r\ndata:[{\"delta\":{\"content\":\"x\"}}]}\r\n\r\n");
    EXPECT_EQ(split.at("choices").at(0).at("text"), "x");
    EXPECT_EQ(feed("data: [DONE]\r\r"), "data: [DONE]\n\n");
    const std::string commented = feed(": ping\n" + with(R"([{"delta":{"content":"x"}}])"));
    EXPECT_TRUE(commented.starts_with(": ping\ndata: {")) << commented;
    // Found by fuzzing: the comments of a chunk that vanishes ended inside an event.
    EXPECT_EQ(feed(": ping\n" + with(R"([{"delta":{"role":"assistant"}}])")), ": ping\n\n");
    const std::string two = feed(with(R"([{"delta":{"content":"x"}}])") + "data: [DONE]\n\n");
    EXPECT_TRUE(two.starts_with("data: {") && two.ends_with("\n\ndata: [DONE]\n\n")) << two;
}

TEST_F(ViaChatStream, error_objects_pass_unchanged) {
    const std::string event = "data: {\"error\" : {\"message\":\"x\",\"code\":9007199254740993}}\r\n\r\n";
    EXPECT_EQ(feed(event), event);
}

TEST_F(ViaChatStream, garbage_is_the_providers_fault) {
    for (const char* event :
         {"data: {\n\n", "data: {\"choices\":[],\"usage\":{\"x\":1e999}}\n\n", "data: {\"created\":0e999}\n\n",
          "data: [1]\n\n", "data:\n\n", "data: <html>\n\n", "data: {\"a\":\"\xff\"}\n\n"}) {
        const auto out = ChatStreamToCompletions("m").event(event);
        ASSERT_FALSE(out) << event;
        EXPECT_EQ(out.error().type, ErrorType::provider_bad_response) << event;
    }
}

} // namespace
} // namespace tollgate::api
