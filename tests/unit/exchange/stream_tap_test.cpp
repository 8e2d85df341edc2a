#include "gateway/exchange/stream_tap.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::exchange {
namespace {

using namespace std::chrono_literals;
using api::Operation;

const TimePoint kStart = TimePoint(1000s);

class StreamTapTest : public testing::Test {
  protected:
    StreamTap tap(Operation operation = Operation::chat) {
        metering_ = {};
        return StreamTap(operation, reader_, kStart, metering_);
    }
    [[nodiscard]] const api::Usage& report() const { return metering_.report; }
    static void feed(StreamTap& tap, std::string_view octets, Duration after = 1s) {
        EXPECT_TRUE(tap.feed(octets, kStart + after));
    }
    static std::string event(std::string_view data) { return "data: " + std::string(data) + "\n\n"; }

    api::AnswerReader reader_;
    Metering metering_;
};

constexpr std::string_view kRole = R"({"choices":[{"delta":{"role":"assistant","content":""},"index":0}]})";
constexpr std::string_view kText = R"({"choices":[{"delta":{"content":"Hi"},"index":0}]})";
constexpr std::string_view kUsage =
    R"({"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":3}}})";

TEST_F(StreamTapTest, firstToken_isTheFirstContentNotTheRole) {
    StreamTap t = tap();
    feed(t, event(kRole), 1s);
    EXPECT_EQ(t.first_token(), std::nullopt);
    feed(t, event(kText), 2s);
    feed(t, event(kText), 9s);
    EXPECT_EQ(t.first_token(), 2s);
}

TEST_F(StreamTapTest, everyKindOfContent_isAToken) {
    for (const std::string_view data :
         {R"({"choices":[{"delta":{"content": "x"}}]})", R"({"choices":[{"text":"x"}]})",
          R"({"choices":[{"delta":{"tool_calls":[{"index":0}]}}]})",
          R"({"type":"response.output_text.delta","delta":"x"})", R"({"choices":[{"delta":{"refusal":"no"}}]})",
          R"({"choices":[{"delta":{"reasoning_content":"hm"}}]})"}) {
        StreamTap t = tap();
        feed(t, event(data), 3s);
        EXPECT_EQ(t.first_token(), 3s) << data;
    }
    for (const std::string_view data :
         {R"({"choices":[{"delta":{"content":""}}]})", R"({"choices":[{"delta":{"content":null}}]})",
          R"({"choices":[]})", R"({"type":"response.created"})"}) {
        StreamTap t = tap();
        feed(t, event(data), 3s);
        EXPECT_EQ(t.first_token(), std::nullopt) << data;
    }
}

TEST_F(StreamTapTest, maxGap_isTheLongestSilenceAfterTheFirstToken) {
    StreamTap t = tap();
    feed(t, event(kRole), 50s);
    feed(t, event(kText), 60s);
    EXPECT_EQ(t.max_gap(), std::nullopt);
    feed(t, event(kText), 61s);
    feed(t, event(kText), 65s);
    feed(t, event(kText), 66s);
    EXPECT_EQ(t.max_gap(), 4s);
}

TEST_F(StreamTapTest, usage_isTheLastOneSeen) {
    StreamTap t = tap();
    feed(t, event(kText));
    EXPECT_EQ(report().input, std::nullopt);
    feed(t, event(R"({"usage":null})"));
    EXPECT_EQ(report().input, std::nullopt) << "unknown is not 0";
    feed(t, event(R"({"choices":[],"usage": {"prompt_tokens":11,"completion_tokens":1}})"));
    feed(t, event(kUsage));
    EXPECT_EQ(report().input, 11U);
    EXPECT_EQ(report().output, 7U);
    EXPECT_EQ(report().cached, 3U);
}

// Case 310: what is not a count is not counted.
TEST_F(StreamTapTest, absurdUsage_isNotTaken) {
    for (const std::string_view usage :
         {R"({"prompt_tokens":-1,"completion_tokens":1.5})", R"({"prompt_tokens":"7","completion_tokens":null})",
          R"({"prompt_tokens":99999999999999999999,"completion_tokens":[]})"}) {
        StreamTap t = tap();
        feed(t, event(R"({"usage":)" + std::string(usage) + "}"));
        EXPECT_EQ(report().input, std::nullopt) << usage;
        EXPECT_EQ(report().output, std::nullopt) << usage;
    }
}

TEST_F(StreamTapTest, done_terminates) {
    StreamTap t = tap();
    feed(t, event(kText));
    EXPECT_FALSE(t.terminated());
    feed(t, "data: [DONE]\n");
    EXPECT_FALSE(t.terminated()) << "not before its blank line";
    EXPECT_TRUE(t.mid_event());
    feed(t, "\n");
    EXPECT_TRUE(t.terminated());
    EXPECT_FALSE(t.mid_event());
}

TEST_F(StreamTapTest, responsesDialect_endsWithItsOwnEvents) {
    for (const std::string name : {"response.completed", "response.failed", "response.incomplete"}) {
        for (const std::string& text :
             {"event: " + name + "\ndata: {\"x\":1}\n\n", "data: {\"type\":\"" + name + "\"}\n\n"}) {
            StreamTap responses = tap(Operation::responses);
            feed(responses, text);
            EXPECT_TRUE(responses.terminated()) << text;
            StreamTap chat = tap(Operation::chat);
            feed(chat, text);
            EXPECT_FALSE(chat.terminated()) << text;
        }
    }
    StreamTap t = tap(Operation::responses);
    feed(t, "event: response.completed\ndata: "
            "{\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":5,\"output_tokens\":6}}}\n\n");
    EXPECT_EQ(report().input, 5U);
    EXPECT_EQ(report().output, 6U);
}

TEST_F(StreamTapTest, needsTerminator_dependsOnTheDialect) {
    for (const Operation operation : {Operation::chat, Operation::text_completion, Operation::responses})
        EXPECT_TRUE(tap(operation).needs_terminator());
    EXPECT_FALSE(tap(Operation::other).needs_terminator());
    EXPECT_FALSE(tap(Operation::audio_speech).needs_terminator());
}

// Case 309.
TEST_F(StreamTapTest, errorInTheStream_isSeen) {
    for (const std::string& text :
         {std::string("data: {\"error\":{\"message\":\"x\"}}\n\n"), std::string("event: error\ndata: {}\n\n")}) {
        StreamTap t = tap();
        feed(t, text);
        EXPECT_TRUE(t.error_seen()) << text;
        EXPECT_FALSE(t.terminated()) << text;
    }
    StreamTap t = tap();
    feed(t, event(R"({"choices":[{"delta":{"content":"an {\"error\" is quoted"}}]})"));
    EXPECT_FALSE(t.error_seen());
}

TEST_F(StreamTapTest, comments_areNoTokens) {
    StreamTap t = tap();
    feed(t, ": ping\n\n");
    EXPECT_EQ(t.first_token(), std::nullopt);
    EXPECT_FALSE(t.terminated() || t.error_seen());
}

// Case 307: accounting gives the same result for every split, line end and a byte order mark.
TEST_F(StreamTapTest, anySegmentation_givesTheSameAccount) {
    for (const std::string eol : {"\n", "\r", "\r\n"}) {
        const std::string mark = "\xEF\xBB\xBF";
        std::string stream = mark;
        for (const std::string& line : std::vector<std::string>{"data: " + std::string(kText), ": \xE2\x82\xAC",
                                                                "data:" + std::string(kUsage), "data: [DONE]"})
            stream += line + eol + eol;
        for (std::size_t cut = 1; cut < stream.size(); ++cut) {
            StreamTap t = tap();
            feed(t, stream.substr(0, cut), 4s);
            feed(t, stream.substr(cut), 4s);
            ASSERT_EQ(t.first_token(), 4s) << cut;
            ASSERT_EQ(report().output, 7U) << cut;
            ASSERT_TRUE(t.terminated()) << cut;
            ASSERT_FALSE(t.mid_event()) << cut;
        }
    }
}

TEST_F(StreamTapTest, events_areHandedOnWhole) {
    StreamTap t = tap();
    std::vector<std::string> events;
    const auto collect = [&](const TapEvent& e) { events.emplace_back(e.octets); };
    const std::string one = event(kText);
    EXPECT_TRUE(t.feed(one.substr(0, 10), kStart, collect));
    EXPECT_TRUE(events.empty());
    EXPECT_TRUE(t.feed(one.substr(10) + "data: [DONE]\n\n", kStart, collect));
    EXPECT_EQ(events, (std::vector<std::string>{one, "data: [DONE]\n\n"}));
}

TEST_F(StreamTapTest, usageChunk_isToldFromAChunkThatAlsoHasChoices) {
    std::vector<bool> alone;
    StreamTap t = tap();
    const std::string both = R"({"choices":[{"delta":{}}],"usage":{"prompt_tokens":1,"completion_tokens":2}})";
    const std::string filter = R"({"choices":[],"prompt_filter_results":[],"usage":null})";
    const std::string stream = event(kText) + event(filter) + event(both) + event(kUsage) + event("[DONE]");
    EXPECT_TRUE(t.feed(stream, kStart, [&](const TapEvent& e) { alone.push_back(e.usage_only); }));
    EXPECT_EQ(alone, (std::vector<bool>{false, false, false, true, false}));
    EXPECT_EQ(report().output, 7U);
}

TEST_F(StreamTapTest, deliveredText_isCountedAsItPasses) {
    StreamTap t = tap();
    feed(t, event(kRole) + event(kText) + event(kText));
    EXPECT_EQ(metering_.delivered.deltas(), 2U);
    EXPECT_EQ(metering_.delivered.octets(), 4U);
}

// Scenario 21: an absurd figure is refused although another one of the same report is taken.
TEST_F(StreamTapTest, refusedFigures_areFlagged) {
    StreamTap t = tap();
    feed(t, event(R"({"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":1000000000000000}})"));
    EXPECT_EQ(report().input, 5U);
    EXPECT_EQ(report().output, std::nullopt);
    EXPECT_TRUE(report().refused);
}

TEST_F(StreamTapTest, pictures_areCountedWithoutAUsage) {
    StreamTap t = tap(Operation::image);
    feed(
        t,
        "event: image_generation.completed\ndata: {\"type\":\"image_generation.completed\",\"b64_json\":\"AA==\"}\n\n");
    EXPECT_EQ(report().images, 1U);
}

// Scenario 31: the ends of all other streams.
TEST_F(StreamTapTest, endOfEveryDialect_isRead) {
    for (const std::string type : {"transcript.text.done", "speech.audio.done", "image_generation.completed"}) {
        StreamTap t = tap(Operation::audio_transcription);
        feed(t, "event: " + type + "\ndata: {\"type\":\"" + type +
                    R"(","usage":{"type":"tokens","input_tokens":14,"output_tokens":45}})" + "\n\n");
        EXPECT_EQ(report().input, 14U) << type;
        EXPECT_EQ(report().output, 45U) << type;
    }
}

TEST_F(StreamTapTest, eventAboveTheCap_endsTheStream) {
    StreamTap t = tap();
    const std::string piece(64 * 1024, 'x');
    bool within = true;
    std::size_t sent = 0;
    while (within && sent < 4 * http::kMaxSseEvent) {
        within = t.feed(piece, kStart);
        sent += piece.size();
    }
    EXPECT_FALSE(within);
    EXPECT_LE(sent, http::kMaxSseEvent + piece.size());
}

TEST_F(StreamTapTest, onceStopped_looksAtNoFurtherEvent) {
    StreamTap t = tap();
    std::size_t told = 0;
    const std::string stream = event(kRole) + event(kText) + event(kText) + event(kUsage) + event("[DONE]");
    EXPECT_TRUE(t.feed(stream, kStart, [&](const TapEvent&) {
        if (++told == 2) t.stop();
    }));
    EXPECT_EQ(told, 2U);
    EXPECT_EQ(metering_.delivered.deltas(), 1U);
    EXPECT_FALSE(report().output);
    EXPECT_FALSE(t.terminated());
}

} // namespace
} // namespace tollgate::exchange
