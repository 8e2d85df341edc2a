#include "gateway/api/usage.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <random>
#include <string>

namespace tollgate::api {
namespace {

DeliveredText seen(std::initializer_list<std::string_view> events) {
    DeliveredText out;
    for (const std::string_view event : events) out.observe(event);
    return out;
}

std::string text_event(std::string_view text) {
    return R"({"choices":[{"index":0,"delta":{"content":")" + std::string(text) + R"("},"finish_reason":null}]})";
}

// F17.
TEST(MergeReport, the_last_cumulative_figure_counts) {
    Usage usage;
    merge_report(usage, {.input = 11, .cached = 3, .output = 1});
    merge_report(usage, {.input = 11, .output = 7});
    EXPECT_EQ(usage, (Usage{.input = 11, .cached = 3, .output = 7}));
    merge_report(usage, {.input = 11, .output = 7});
    EXPECT_EQ(usage.output, 7U) << "sent twice, counted once";
    merge_report(usage, {});
    EXPECT_EQ(usage.output, 7U);
    merge_report(usage, {.output = 6});
    EXPECT_EQ(usage.output, 6U) << "a contradiction: the last one";
    merge_report(usage, {.refused = true});
    EXPECT_EQ(usage, (Usage{.input = 11, .cached = 3, .output = 6, .refused = true}));
}

TEST(MergeReport, images_are_told_one_by_one) {
    Usage usage;
    merge_report(usage, {.output = 10, .images = 1});
    merge_report(usage, {.output = 20, .images = 1});
    EXPECT_EQ(usage, (Usage{.output = 20, .images = 2}));
    merge_report(usage, {.images = kMostCount});
    EXPECT_EQ(usage.images, kMostCount);
}

TEST(DeliveredText, content_of_every_kind_counts) {
    EXPECT_EQ(seen({text_event("Hello"), text_event(" world")}).deltas(), 2U);
    EXPECT_EQ(seen({text_event("Hello"), text_event(" world")}).octets(), 11U);
    for (const std::string_view event :
         {R"({"choices":[{"delta":{"refusal":"abc"}}]})", R"({"choices":[{"delta":{"reasoning":"abc"}}]})",
          R"({"choices":[{"delta":{"reasoning_content" : "abc"}}]})", R"({"choices":[{"text":"abc","index":0}]})",
          R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"abc"}}]}}]})",
          R"({"type":"response.output_text.delta","delta":"abc","logprobs":[]})",
          R"({"delta":"abc","type":"response.function_call_arguments.delta"})",
          R"({"choices":[{"message":{"role":"assistant","content":"abc"},"finish_reason":"stop"}]})",
          R"({"object":"response","output":[{"type":"message","content":[{"type":"output_text","text":"abc"}]}]})"}) {
        EXPECT_EQ(seen({event}).deltas(), 1U) << event;
        EXPECT_EQ(seen({event}).octets(), 3U) << event;
    }
    EXPECT_EQ(seen({text_event(R"(a\"\\\n)")}).octets(), 4U);
    EXPECT_EQ(seen({text_event(R"(\u00e4)")}).octets(), 3U);
}

TEST(DeliveredText, what_is_no_new_content_does_not_count) {
    for (const std::string_view event :
         {"", "[DONE]", "{", "\"", R"({"choices":[{"delta":{"role":"assistant","content":""}}]})",
          R"({"choices":[{"delta":{},"finish_reason":"stop"}],"usage":null,"model":"text"})",
          R"({"id":"content","model":"text","obfuscation":"abc","choices":[]})",
          R"({"type":"response.output_text.done","text":"the whole text"})",
          R"({"type":"response.completed","response":{"output":[{"content":[{"text":"the whole text"}]}]}})"}) {
        EXPECT_EQ(seen({event}).deltas(), 0U) << event;
        EXPECT_EQ(seen({event}).octets(), 0U) << event;
    }
    EXPECT_EQ(seen({text_event(R"(\"content\":\"inside\")")}).deltas(), 1U) << "a text about JSON is one text";
}

TEST(DeliveredText, any_octets_are_bearable) {
    std::mt19937_64 random(41);
    constexpr std::string_view kAlphabet = R"("\{}[]:,content u0)";
    for (int round = 0; round < 20'000; ++round) {
        std::string text;
        for (auto n = random() % 40; n > 0; --n) text += kAlphabet[random() % kAlphabet.size()];
        DeliveredText delivered;
        delivered.observe(text);
        ASSERT_LE(delivered.octets(), text.size()) << text;
    }
}

// Scenario 47.
TEST(SettledUsage, a_missing_report_is_counted_and_never_0_if_text_was_delivered) {
    const Usage settled = settled_usage({}, seen({text_event("x")}), {.input_estimate = 20});
    EXPECT_EQ(settled, (Usage{.input = 20, .output = 1, .estimated = true}));
    const DeliveredText many = seen({text_event("a"), text_event("b"), text_event("c")});
    EXPECT_EQ(settled_usage({}, many, {.input_estimate = 20}).output, 3U) << "a delta is a token at least";
    const DeliveredText large = seen({text_event(std::string(10'000, 'a'))});
    EXPECT_EQ(settled_usage({}, large, {.input_estimate = 20}).output, 3'000U);
    EXPECT_EQ(settled_usage({}, large, {.input_estimate = 20, .tokens_per_1000_octets = 250}).output, 2'500U);
    EXPECT_EQ(settled_usage({}, {}, {.input_estimate = 20}), (Usage{.input = 20, .output = 0, .estimated = true}));
}

// Scenario 21: what was refused is counted instead.
TEST(SettledUsage, a_refused_figure_is_counted_instead) {
    const Usage settled = settled_usage({.input = 5, .refused = true}, seen({text_event("x")}), {.input_estimate = 20});
    EXPECT_EQ(settled, (Usage{.input = 5, .output = 1, .refused = true, .estimated = true}));
    EXPECT_EQ(settled_usage({.output = 5, .refused = true}, {}, {.input_estimate = 20}),
              (Usage{.input = 20, .output = 5, .refused = true, .estimated = true}));
}

// Scenario 21: nothing is told of what was there.
TEST(SettledUsage, a_report_of_nothing_is_refused_where_something_was) {
    const DeliveredText text = seen({text_event("a"), text_event("b")});
    EXPECT_EQ(settled_usage({.input = 0, .output = 0}, text, {.input_estimate = 20}),
              (Usage{.input = 20, .output = 2, .refused = true, .estimated = true}));
    EXPECT_EQ(settled_usage({.input = 9, .output = 0}, {}, {.input_estimate = 20}), (Usage{.input = 9, .output = 0}));
    EXPECT_EQ(settled_usage({.input = 0, .output = 0}, {}, {}), (Usage{.input = 0, .output = 0}));
}

// Scenario 48.
TEST(SettledUsage, an_answer_that_broke_off_costs_what_was_delivered) {
    const DeliveredText half = seen({text_event("a"), text_event("b"), text_event("c")});
    EXPECT_EQ(settled_usage({.input = 9, .output = 1}, half, {.input_estimate = 20, .complete = false}),
              (Usage{.input = 9, .output = 3, .estimated = true}));
    EXPECT_EQ(settled_usage({.input = 9, .output = 5}, half, {.input_estimate = 20, .complete = false}),
              (Usage{.input = 9, .output = 5}));
    EXPECT_EQ(settled_usage({.input = 9, .output = 1}, half, {.input_estimate = 20}), (Usage{.input = 9, .output = 1}))
        << "the final report is the provider's word";
}

TEST(SettledUsage, a_report_that_says_all_its_endpoint_has_is_no_estimate) {
    EXPECT_EQ(settled_usage({.input = 9}, {}, {.input_estimate = 20}), (Usage{.input = 9, .output = 0}));
    EXPECT_EQ(settled_usage({.audio_ms = 1'500}, {}, {.input_estimate = 20}),
              (Usage{.input = 0, .output = 0, .audio_ms = 1'500}));
    EXPECT_EQ(settled_usage({.images = 2}, {}, {.input_estimate = 20}),
              (Usage{.input = 20, .output = 0, .images = 2, .estimated = true}));
}

} // namespace
} // namespace tollgate::api
