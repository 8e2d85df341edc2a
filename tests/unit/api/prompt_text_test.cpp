#include "gateway/api/prompt_text.hpp"
#include "gateway/api/request_view.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tollgate::api {
namespace {

struct Told {
    PromptShape shape;
    std::vector<std::string> texts;
};

Told told(std::string body, Operation operation) {
    EXPECT_TRUE(RequestReader().read(body, operation)) << body;
    Told out;
    const auto shape =
        PromptReader().read(body, operation, [&](std::string_view text) { out.texts.emplace_back(text); });
    EXPECT_TRUE(shape) << body;
    out.shape = shape.value_or(PromptShape{});
    return out;
}

using Texts = std::vector<std::string>;

TEST(PromptTextTest, chat_tellsRolesContentsAndNames) {
    const Told chat = told(R"({"model":"m","temperature":0.5,"messages":[{"role":"system","content":"Be \"brief\"\n"},)"
                           R"({"role":"user","name":"ann","content":[{"type":"text","text":"h\u00e9"},)"
                           R"({"type":"text","text":"llo"}]}],"max_tokens":7,"user":"u"})",
                           Operation::chat);
    EXPECT_EQ(chat.texts, (Texts{"system", "Be \"brief\"\n", "user", "ann", "h\u00e9", "llo"}));
    EXPECT_EQ(chat.shape, (PromptShape{.texts = 6, .messages = 2, .names = 1}));
}

TEST(PromptTextTest, whatProvidersRenderThemselves_countsByItsOctets) {
    const std::string tools = R"([{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}])";
    const std::string format = R"({"type":"json_schema","json_schema":{"name":"s"}})";
    const std::string calls = R"([{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}])";
    const Told chat =
        told(R"({"messages":[{"role":"assistant","content":null,"tool_calls":)" + calls + R"(}],"tools":)" + tools +
                 R"(,"response_format":)" + format + R"(,"chat_template":"x"})",
             Operation::chat);
    EXPECT_EQ(chat.texts, (Texts{"assistant"}));
    EXPECT_TRUE(chat.shape.functions);
    const std::size_t names = std::string("tool_callstoolsresponse_formatchat_template").size();
    EXPECT_GE(chat.shape.other_octets, tools.size() + format.size() + calls.size() + names + 3);
}

TEST(PromptTextTest, responses_tellInstructionsAndItems) {
    const Told plain = told(R"({"input":"hello","instructions":"be kind"})", Operation::responses);
    EXPECT_EQ(plain.texts, (Texts{"hello", "be kind"}));
    EXPECT_EQ(plain.shape, (PromptShape{.texts = 2, .messages = 2}));
    const Told items = told(R"({"input":[{"role":"user","content":[{"type":"input_text","text":"a"}]},)"
                            R"({"type":"function_call_output","call_id":"c","output":"forty"}]})",
                            Operation::responses);
    EXPECT_EQ(items.texts, (Texts{"user", "a"}));
    EXPECT_EQ(items.shape.messages, 2U);
    EXPECT_GE(items.shape.other_octets, std::string("forty").size());
}

TEST(PromptTextTest, promptsAndInputs_areTexts) {
    EXPECT_EQ(told(R"({"prompt":["a","b"],"suffix":"c","echo":true})", Operation::text_completion).texts,
              (Texts{"a", "b", "c"}));
    const Told inputs = told(R"({"input":["a","b"],"dimensions":3})", Operation::embeddings);
    EXPECT_EQ(inputs.texts, (Texts{"a", "b"}));
    EXPECT_EQ(inputs.shape, (PromptShape{.texts = 2}));
    EXPECT_GE(told(R"({"input":["a",[1,2,3]]})", Operation::embeddings).shape.other_octets, 3U);
}

TEST(PromptTextTest, largeBodiesAndOtherOperations) {
    const std::string large(200'000, 'x');
    EXPECT_EQ(told(R"({"input":")" + large + R"("})", Operation::embeddings).texts, (Texts{large}));
    EXPECT_FALSE(PromptReader().read(R"({"prompt":"a cat"})", Operation::image, [](std::string_view) {}));
    EXPECT_FALSE(PromptReader().read(R"({"prompt":)", Operation::text_completion, [](std::string_view) {}));
}

} // namespace
} // namespace tollgate::api
