#include "gateway/api/estimate.hpp"

#include <gtest/gtest.h>

namespace tollgate::api {
namespace {

constexpr ModelSize kModel{.max_output = 16'384, .context = 128'000};

// Scenario 10.
TEST(UpperEstimate, conflicting_maxima_count_as_the_largest) {
    EXPECT_EQ(upper_estimate({.body_octets = 100, .max_tokens = 10, .max_completion_tokens = 5'000}, kModel),
              (Estimate{.input = 100, .output = 5'000, .output_given = true}));
    EXPECT_EQ(upper_estimate({.max_tokens = 5'000, .max_completion_tokens = 10}, kModel).output, 5'000U);
    EXPECT_EQ(upper_estimate({.max_tokens = 1, .max_output_tokens = 99'999}, kModel).output, 99'999U)
        << "not the model's: that figure may be wrong";
    EXPECT_EQ(balanced_estimate({.max_tokens = 10, .max_completion_tokens = 5'000}, kModel, {}, {}).output, 5'000U);
}

// Scenario 11.
TEST(UpperEstimate, every_generated_answer_counts) {
    EXPECT_EQ(upper_estimate({.max_tokens = 100, .n = 4}, kModel).output, 400U);
    EXPECT_EQ(upper_estimate({.n = 4}, kModel).output, 4U * 16'384);
    RequestSize completions{.operation = Operation::text_completion, .max_tokens = 100, .n = 2, .best_of = 5};
    EXPECT_EQ(upper_estimate(completions, kModel).output, 500U) << "best_of bills all candidates";
    completions.prompts = 3;
    EXPECT_EQ(upper_estimate(completions, kModel).output, 1'500U);
    completions.best_of = 0;
    EXPECT_EQ(upper_estimate(completions, kModel).output, 600U);
    completions.max_tokens = UINT64_MAX;
    EXPECT_EQ(upper_estimate(completions, kModel).output, UINT64_MAX);
}

TEST(UpperEstimate, without_a_maximum_the_models_own_counts_else_there_is_no_bound) {
    const Estimate known = upper_estimate({.body_octets = 100}, kModel);
    EXPECT_EQ(known, (Estimate{.input = 100, .output = 16'384}));
    const Estimate unknown = upper_estimate({.body_octets = 100}, {});
    EXPECT_TRUE(has(unknown.unbounded, Unbounded::output));
    EXPECT_EQ(upper_estimate({.operation = Operation::embeddings, .body_octets = 100}, {}), (Estimate{.input = 100}));
    EXPECT_EQ(upper_estimate({.operation = Operation::moderation, .body_octets = 100}, {}), (Estimate{.input = 100}));
}

TEST(UpperEstimate, input_is_the_count_else_a_token_for_each_octet_within_the_context) {
    EXPECT_EQ(upper_estimate({.body_octets = 1'000, .input_tokens = 17}, kModel).input, 17U);
    EXPECT_EQ(upper_estimate({.body_octets = 1'000}, kModel).input, 1'000U);
    EXPECT_EQ(upper_estimate({.body_octets = 10'000'000}, kModel).input, 128'000U);
    EXPECT_EQ(upper_estimate({.body_octets = 10'000'000}, {}).input, 10'000'000U);
    EXPECT_EQ(upper_estimate({.operation = Operation::embeddings, .body_octets = 10'000'000}, kModel).input,
              10'000'000U)
        << "a list of inputs is longer than one context";
}

TEST(UpperEstimate, what_octets_cannot_bound_is_flagged_and_fills_the_context) {
    for (const Unbounded why :
         {Unbounded::remote_content, Unbounded::inline_media, Unbounded::stored_context, Unbounded::hosted_tools}) {
        const Estimate estimate = upper_estimate({.body_octets = 100, .max_tokens = 5, .content = why}, kModel);
        EXPECT_EQ(estimate, (Estimate{.input = 128'000, .output = 5, .unbounded = why, .output_given = true}));
        EXPECT_EQ(upper_estimate({.body_octets = 100, .input_tokens = 7, .content = why}, kModel).input, 128'000U);
        EXPECT_EQ(upper_estimate({.body_octets = 100, .max_tokens = 5, .content = why}, {}).input, 100U);
    }
    RequestSize photo{.body_octets = 1'000'000, .content = Unbounded::inline_media};
    EXPECT_EQ(upper_estimate(photo, kModel).input, 128'000U) << "one prompt fits the context";
    photo.operation = Operation::embeddings;
    EXPECT_EQ(upper_estimate(photo, kModel).input, 1'000'000U);
}

TEST(RequestSizeOf, the_views_flags_become_reasons) {
    RequestReader reader;
    const auto content = [&](const std::string& body, Operation operation) {
        const auto view = reader.read(body, operation);
        EXPECT_TRUE(view) << body;
        Route route{.charge = Charge::tokens};
        route.operation = operation;
        return request_size(*view, route, body.size()).content;
    };
    EXPECT_EQ(content(R"({"model":"m","messages":[{"role":"user","content":"hi"}]})", Operation::chat),
              Unbounded::none);
    EXPECT_EQ(content(R"({"model":"m","messages":[{"role":"user","content":[{"type":"image_url",
                          "image_url":{"url":"https://example.com/a.png"}}]}]})",
                      Operation::chat),
              Unbounded::remote_content);
    EXPECT_EQ(content(R"({"model":"m","messages":[{"role":"assistant","audio":{"id":"audio_1"}}]})", Operation::chat),
              Unbounded::remote_content);
    EXPECT_EQ(content(R"({"model":"m","input":"x","previous_response_id":"resp_1","tools":[{"type":"web_search"}]})",
                      Operation::responses),
              Unbounded::stored_context | Unbounded::hosted_tools);
}

// Scenario 9: clamped to what can be held, so that the first request passes.
TEST(BalancedEstimate, without_a_maximum_what_was_learned_counts_within_the_limit) {
    EXPECT_EQ(balanced_estimate({.body_octets = 100}, kModel, {}, {}), (Estimate{.input = 40, .output = 1'024}));
    EXPECT_EQ(balanced_estimate({.body_octets = 100}, kModel, {}, 500), (Estimate{.input = 40, .output = 460}));
    EXPECT_EQ(balanced_estimate({.body_octets = 10'000}, kModel, {}, 500), (Estimate{.input = 4'000, .output = 0}));
    EXPECT_EQ(balanced_estimate({.body_octets = 100}, kModel, {.output = 70}, {}).output, 70U);
    EXPECT_EQ(balanced_estimate({.body_octets = 100, .n = 3}, kModel, {.output = 70}, {}).output, 210U);
    EXPECT_EQ(balanced_estimate({}, {.max_output = 50}, {.output = 70}, {}).output, 50U);
}

// Scenario 8: an explicit maximum is not clamped, the request is too large.
TEST(BalancedEstimate, a_maximum_that_was_given_is_not_clamped_to_the_limit) {
    EXPECT_EQ(balanced_estimate({.max_tokens = 5'000}, kModel, {.output = 70}, 500).output, 5'000U);
    EXPECT_EQ(balanced_estimate({.max_tokens = 50'000}, kModel, {}, 500).output, 16'384U) << "the model cannot do more";
}

TEST(BalancedEstimate, input_is_the_count_else_a_share_of_the_octets) {
    EXPECT_EQ(balanced_estimate({.body_octets = 1'000, .input_tokens = 17}, kModel, {}, {}).input, 17U);
    EXPECT_EQ(balanced_estimate({.body_octets = 1'001}, kModel, {.input_tokens_per_1000_octets = 250}, {}).input, 251U);
    EXPECT_EQ(balanced_estimate({.body_octets = 10}, kModel, {.input_tokens_per_1000_octets = 9'000}, {}).input, 10U)
        << "a token has an octet";
    EXPECT_EQ(balanced_estimate({.operation = Operation::embeddings, .body_octets = 1'000}, kModel, {}, {}).output, 0U);
}

} // namespace
} // namespace tollgate::api
