#include "policy/tokens/models.hpp"

#include <gtest/gtest.h>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace tollgate::tokens {
namespace {

TEST(TokenModels, EncodingsByName) {
    for (const std::string_view model :
         {"gpt-4o", "gpt-4o-mini", "gpt-4o-2024-08-06", "chatgpt-4o-latest", "gpt-4.1", "gpt-4.1-nano",
          "gpt-4.5-preview", "gpt-5", "gpt-5-mini", "gpt-5.2", "gpt-5.1-codex", "o1", "o1-preview", "o3-mini",
          "o4-mini", "gpt-oss-120b", "ft:gpt-4o-mini-2024-07-18:acme:suffix:id", "ft:gpt-4.1-2025-04-14:acme::id"}) {
        EXPECT_EQ(encoding_for_model(model), EncodingKind::o200k_base) << model;
    }
    for (const std::string_view model :
         {"gpt-4", "gpt-4-turbo", "gpt-4-32k-0613", "gpt-3.5-turbo", "gpt-3.5-turbo-instruct", "gpt-35-turbo",
          "text-embedding-ada-002", "text-embedding-3-small", "text-embedding-3-large", "davinci-002", "babbage-002",
          "ft:gpt-3.5-turbo-0125:acme::id", "ft:davinci-002:acme", "ft:gpt-4"}) {
        EXPECT_EQ(encoding_for_model(model), EncodingKind::cl100k_base) << model;
    }
    for (const std::string_view model : {"",
                                         "ft:",
                                         "gpt",
                                         "gpt-",
                                         "gpt-6",
                                         "gpt-40",
                                         "gpt-4x",
                                         "gpt-4.2",
                                         "gpt-4oo",
                                         "o",
                                         "o2",
                                         "o10",
                                         "o1x",
                                         "davinci",
                                         "text-davinci-003",
                                         "code-davinci-002",
                                         "claude-3-opus",
                                         "gemini-2.0-flash",
                                         "GPT-4",
                                         "my-gpt-4o",
                                         "ft:mine",
                                         "davinci:ft-acme-2022"}) {
        EXPECT_EQ(encoding_for_model(model), std::nullopt) << model;
    }
}

TEST(TokenModels, ChatOverhead) {
    EXPECT_EQ(chat_overhead("gpt-4o", {}), 3U);
    EXPECT_EQ(chat_overhead("gpt-4o", {.messages = 2}), 9U);
    EXPECT_EQ(chat_overhead("gpt-4", {.messages = 3, .names = 2}), 14U);
    EXPECT_EQ(chat_overhead("gpt-3.5-turbo-0301", {.messages = 3, .names = 2}), 13U);
    EXPECT_EQ(chat_overhead("gpt-3.5-turbo-0613", {.messages = 3, .names = 2}), 14U);
}

TEST(TokenModels, ChatOverheadOfFunctions) {
    EXPECT_EQ(chat_overhead("gpt-4o", {.messages = 1, .functions = true}), 15U);
    EXPECT_EQ(chat_overhead("gpt-4o", {.messages = 1, .system = true, .functions = true}), 11U);
    EXPECT_EQ(chat_overhead("gpt-4o", {.messages = 1, .system = true}), 6U);
    EXPECT_EQ(chat_overhead("gpt-4o", {.messages = 1, .functions = true, .function_forced = true}), 19U);
    EXPECT_EQ(chat_overhead("gpt-4o", {.messages = 1, .functions = true, .functions_forbidden = true}), 16U);
    EXPECT_EQ(chat_overhead("gpt-4", {.messages = 3, .function_calls = 1, .function_messages = 1}), 13U);
}

TEST(TokenModels, ChatOverheadIsNeverBelowNothing) {
    EXPECT_EQ(chat_overhead("gpt-4", {.function_messages = 100}), 0U);
}

TEST(TokenModels, HiddenPromptOfTheTemplate) {
    EXPECT_GE(hidden_prompt("gpt-oss-120b"), 70U);
    EXPECT_EQ(hidden_prompt("gpt-4o"), 0U);
    EXPECT_EQ(hidden_prompt("gpt-oscar"), 0U);
}

} // namespace
} // namespace tollgate::tokens
