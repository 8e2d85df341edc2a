#include "gateway/api/answer_view.hpp"

#include <gtest/gtest.h>

namespace tollgate::api {
namespace {

Usage read(std::string_view body, Operation operation) {
    AnswerReader reader;
    const auto view = reader.read(body, operation);
    EXPECT_TRUE(view) << body;
    return view ? view->usage : Usage{};
}

Usage of(std::string_view usage, Operation operation = Operation::chat) {
    return read(R"({"usage":)" + std::string(usage) + "}", operation);
}

TEST(UsageReport, served_tier_is_read_where_each_dialect_says_it) {
    const auto tier = [](std::string_view body) { return read(body, Operation::chat).tier; };
    EXPECT_EQ(tier(R"({"usage":{"prompt_tokens":1}})"), ServedTier::unsaid);
    EXPECT_EQ(tier(R"({"service_tier":"default","usage":{"prompt_tokens":1}})"), ServedTier::list);
    EXPECT_EQ(tier(R"({"service_tier":"priority","usage":{"prompt_tokens":1}})"), ServedTier::priority);
    EXPECT_EQ(tier(R"({"usage":{"input_tokens":1,"service_tier":"batch"}})"), ServedTier::batch);
    EXPECT_EQ(tier(R"({"response":{"service_tier":"flex","usage":{"input_tokens":1}}})"), ServedTier::flex);
    EXPECT_EQ(tier(R"({"service_tier":"ultrafast","usage":{"prompt_tokens":1}})"), ServedTier::fast);
    EXPECT_EQ(tier(R"({"service_tier":7,"usage":{"prompt_tokens":1}})"), ServedTier::unsaid);
    EXPECT_EQ(tier(R"({"service_tier":"new","usage":{"prompt_tokens":1}})"), ServedTier::list);
}

// The shapes of api-surface §5.1.
TEST(UsageReport, every_endpoints_shape_is_read) {
    EXPECT_EQ(of(R"({"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
                     "prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":20,"audio_tokens":5,"text_tokens":15,
                                              "image_tokens":10},
                     "completion_tokens_details":{"reasoning_tokens":30,"audio_tokens":7,"text_tokens":13,
                                                  "accepted_prediction_tokens":0,"rejected_prediction_tokens":0}})"),
              (Usage{.input = 100,
                     .cached = 60,
                     .cache_write = 20,
                     .audio_in = 5,
                     .image_in = 10,
                     .output = 50,
                     .reasoning = 30,
                     .audio_out = 7}));
    EXPECT_EQ(of(R"({"prompt_tokens":8,"total_tokens":8})", Operation::embeddings), (Usage{.input = 8}));
    EXPECT_EQ(of(R"({"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":3,
                     "output_tokens_details":{"reasoning_tokens":2},"total_tokens":12})",
                 Operation::responses),
              (Usage{.input = 9, .cached = 4, .output = 3, .reasoning = 2}));
    EXPECT_EQ(of(R"({"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":4,"audio_tokens":10},
                     "output_tokens":45,"total_tokens":59})",
                 Operation::audio_transcription),
              (Usage{.input = 14, .audio_in = 10, .output = 45}));
    EXPECT_EQ(of(R"({"type":"duration","seconds":3})", Operation::audio_transcription), (Usage{.audio_ms = 3'000}));
    EXPECT_EQ(of(R"({"type":"duration","seconds":3.0004})", Operation::audio_transcription),
              (Usage{.audio_ms = 3'001}));
    EXPECT_EQ(of(R"({"prompt_tokens":10,"completion_tokens":1,"prompt_cache_hit_tokens":6,
                     "prompt_cache_miss_tokens":4})"),
              (Usage{.input = 10, .cached = 6, .output = 1}))
        << "DeepSeek";
}

TEST(UsageReport, calls_of_tools_at_the_provider_are_counted) {
    constexpr std::string_view kOutput =
        R"("output":[{"type":"web_search_call"},{"type":"function_call"},{"type":"message"},{"type":"mcp_call"},7])";
    EXPECT_EQ(read("{" + std::string(kOutput) + "}", Operation::responses), (Usage{.tool_calls = 2}));
    EXPECT_EQ(read(R"({"type":"response.completed","response":{)" + std::string(kOutput) + "}}", Operation::other),
              (Usage{.tool_calls = 2}));
}

TEST(UsageReport, images_and_the_length_of_sound_are_read_from_the_answer) {
    EXPECT_EQ(read(R"({"created":1,"data":[{"b64_json":"aaaa"},{"b64_json":"bbbb"}],
                       "usage":{"input_tokens":50,"input_tokens_details":{"text_tokens":10,"image_tokens":40},
                                "output_tokens":100,"total_tokens":150}})",
                   Operation::image),
              (Usage{.input = 50, .image_in = 40, .output = 100, .images = 2}));
    EXPECT_EQ(read(R"({"data":[{"url":"https://example.com/1"}]})", Operation::image), (Usage{.images = 1}));
    EXPECT_EQ(read(R"({"data":[{"embedding":[1]}]})", Operation::embeddings), Usage{});
    EXPECT_EQ(read(R"({"task":"transcribe","duration":2.5,"text":"hi"})", Operation::audio_transcription),
              (Usage{.audio_ms = 2'500}));
    EXPECT_EQ(read(R"({"duration":2.5,"usage":{"input_tokens":3,"output_tokens":1}})", Operation::audio_transcription),
              (Usage{.input = 3, .output = 1}));
    EXPECT_EQ(read(R"({"duration":2.5})", Operation::chat), Usage{});
}

TEST(UsageReport, events_of_streams_are_read) {
    EXPECT_EQ(read(R"({"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7}})", Operation::other),
              (Usage{.input = 11, .output = 7}));
    EXPECT_EQ(read(R"({"choices":[{"delta":{"content":"x"}}],"usage":null})", Operation::other), Usage{});
    EXPECT_EQ(read(R"({"type":"response.completed","response":{"status":"completed",
                       "usage":{"input_tokens":5,"output_tokens":6}}})",
                   Operation::other),
              (Usage{.input = 5, .output = 6}));
    EXPECT_EQ(read(R"({"type":"response.created","response":{"usage":null}})", Operation::other), Usage{});
    EXPECT_EQ(read(R"({"type":"speech.audio.done","usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}})",
                   Operation::other),
              (Usage{.input = 1, .output = 2}));
    EXPECT_EQ(read(R"({"type":"transcript.text.done","text":"hi","usage":{"type":"tokens","input_tokens":4,
                       "input_token_details":{"audio_tokens":4},"output_tokens":2}})",
                   Operation::other),
              (Usage{.input = 4, .audio_in = 4, .output = 2}));
    for (const char* type : {"image_generation.completed", "image_edit.completed"})
        EXPECT_EQ(read(std::string(R"({"type":")") + type + R"(","b64_json":"aa","usage":{"input_tokens":4,
                       "output_tokens":2}})",
                       Operation::other),
                  (Usage{.input = 4, .output = 2, .images = 1}));
    EXPECT_EQ(read(R"({"type":"image_generation.partial_image","b64_json":"aa"})", Operation::other), Usage{});
}

// Scenario 21.
TEST(UsageReport, what_is_no_plausible_count_is_refused_and_flagged) {
    for (const std::string_view bad : {"-1", "1.5", "1e3", "7.0", "\"7\"", "[]", "{}", "true", "1000000001",
                                       "1000000000000000", "18446744073709551615"}) {
        const Usage input = of(R"({"prompt_tokens":)" + std::string(bad) + R"(,"completion_tokens":5})");
        EXPECT_EQ(input, (Usage{.output = 5, .refused = true})) << bad;
        const Usage output = of(R"({"input_tokens":5,"output_tokens":)" + std::string(bad) + "}");
        EXPECT_EQ(output, (Usage{.input = 5, .refused = true})) << bad;
        const Usage detail =
            of(R"({"prompt_tokens":5,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":)" +
               std::string(bad) + "}}");
        EXPECT_EQ(detail, (Usage{.input = 5, .output = 5, .refused = true})) << bad;
    }
    EXPECT_EQ(of(R"({"prompt_tokens":1000000000,"completion_tokens":0})"),
              (Usage{.input = 1'000'000'000, .output = 0}));
    EXPECT_EQ(of(R"({"type":"duration","seconds":-3})", Operation::audio_transcription), (Usage{.refused = true}));
    EXPECT_EQ(of(R"({"type":"duration","seconds":1e300})", Operation::audio_transcription), (Usage{.refused = true}));
    EXPECT_EQ(of("[]"), (Usage{.refused = true}));
    EXPECT_EQ(of("7"), (Usage{.refused = true}));
    EXPECT_EQ(of("null"), Usage{}) << "absent, not wrong";
    EXPECT_EQ(of("{}"), Usage{});
    EXPECT_EQ(of(R"({"prompt_tokens":null,"completion_tokens":3})"), (Usage{.output = 3}));
}

// The parser reads no number beyond 64 bits, and then nothing of the answer: its usage is unknown, so it is counted.
TEST(UsageReport, an_answer_with_a_number_beyond_all_bounds_reports_nothing) {
    AnswerReader reader;
    const auto view =
        reader.read(R"({"usage":{"prompt_tokens":99999999999999999999999,"completion_tokens":5}})", Operation::chat);
    EXPECT_FALSE(view);
    EXPECT_TRUE(reader.read(R"({"usage":{}})", Operation::chat)) << "the next one is read";
}

TEST(UsageReport, details_that_contradict_their_total_are_not_taken) {
    EXPECT_EQ(of(R"({"prompt_tokens":5,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":6}})"),
              (Usage{.input = 5, .output = 5, .refused = true}));
    EXPECT_EQ(of(R"({"prompt_tokens":5,"completion_tokens":5,
                     "prompt_tokens_details":{"cached_tokens":3,"cache_write_tokens":3}})"),
              (Usage{.input = 5, .cache_write = 3, .output = 5, .refused = true}));
    EXPECT_EQ(of(R"({"prompt_tokens":5,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":6}})"),
              (Usage{.input = 5, .output = 5, .refused = true}));
    EXPECT_EQ(of(R"({"prompt_tokens":5,"completion_tokens":4,"total_tokens":15,
                     "completion_tokens_details":{"reasoning_tokens":6}})"),
              (Usage{.input = 5, .output = 10, .reasoning = 6}))
        << "some providers count reasoning beside the output";
}

} // namespace
} // namespace tollgate::api
