#include "gateway/api/answer_scan.hpp"
#include "gateway/api/answer_view.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace tollgate::api {
namespace {

AnswerScan scanned(std::string_view body, std::size_t size) {
    AnswerScan scan;
    for (std::size_t at = 0; at < body.size(); at += size) scan.feed(body.substr(at, size));
    return scan;
}

const std::string kUsage =
    R"({"prompt_tokens":8000,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":64},"note":"a } b, \"c\""})";

// Wherever the members stand and however the octets are cut.
TEST(AnswerScanTest, usage_isFoundAnywhere) {
    const std::string data = R"("data":[{"embedding":[0.5,-1.25e-3],"usage":{"prompt_tokens":1}},{"object":"x"}])";
    AnswerReader reader;
    for (const std::string& body :
         {"{\"usage\":" + kUsage + "," + data + "}", "{" + data + ", \"usage\" : " + kUsage + " }",
          "{\"a\":\"\\\"usage\\\":1,\\\\\"," + data + ",\"usage\":" + kUsage + ",\"z\":[{\"usage\":{}}]}"}) {
        for (std::size_t size = 1; size <= body.size(); ++size) {
            const auto view = reader.read(scanned(body, size).digest(), Operation::image);
            ASSERT_TRUE(view) << body << size;
            ASSERT_EQ(view->usage.input, 8000U) << body << size;
            ASSERT_EQ(view->usage.output, 3U);
            ASSERT_EQ(view->usage.cached, 64U);
            ASSERT_EQ(view->usage.images, 2U);
        }
    }
}

TEST(AnswerScanTest, whatItFinds_isWhatAWholeReadFinds) {
    AnswerReader reader;
    for (const std::string_view body :
         {R"({"text":"hello","duration":3.5,"segments":[{"text":"hello"}]})", R"({"data":[],"usage":null})",
          R"({"usage":-1,"data":[{"b64_json":"AA=="}]})", R"({"usage":{"input_tokens":-5,"output_tokens":2}})",
          R"({"choices":[{"message":{"content":"a\u00e4\n"}}]})", R"({})", R"({"usage":[],"duration":"x"})"}) {
        for (const Operation operation : {Operation::image, Operation::audio_transcription, Operation::chat}) {
            const auto whole = reader.read(body, operation);
            const auto found = reader.read(scanned(body, 3).digest(), operation);
            ASSERT_TRUE(whole && found);
            if (body.find("\"data\":[]") == std::string_view::npos || operation != Operation::image)
                EXPECT_EQ(whole->usage, found->usage) << body;
        }
    }
}

TEST(AnswerScanTest, deliveredText_isCountedAsByAWholeLook) {
    const std::string body =
        R"({"choices":[{"message":{"role":"assistant","content":"Hi \"you\" \u00e4\\","refusal":null}},)"
        R"({"text":"more"}],"model":"text","content":""})";
    DeliveredText whole;
    whole.observe(body);
    for (std::size_t size = 1; size <= body.size(); ++size) {
        const AnswerScan scan = scanned(body, size);
        ASSERT_EQ(scan.delivered().deltas(), whole.deltas()) << size;
        ASSERT_EQ(scan.delivered().octets(), whole.octets()) << size;
    }
}

// Scenario 48: of an answer that broke off, all that came counts.
TEST(AnswerScanTest, unfinishedText_counts) {
    const std::string body = R"({"model":"cut","choices":[{"message":{"content":"one two three)";
    const AnswerScan scan = scanned(body, 7);
    EXPECT_EQ(scan.delivered().octets(), 13U);
    EXPECT_EQ(scan.delivered().deltas(), 1U);
    EXPECT_EQ(scanned(R"({"content)", 3).delivered().octets(), 0U) << "a key is no text";
}

// Answers that break off, are no JSON, or hide megabytes under the name leave nothing that could be taken for a report.
TEST(AnswerScanTest, cutOrAbsurdValues_areNoReport) {
    AnswerReader reader;
    const std::string large = R"({"usage":{"a":")" + std::string(100'000, 'x') + R"(","prompt_tokens":5}})";
    for (const std::string& body :
         {std::string(R"({"data":[1],"usage":{"prompt_tokens":12)"), large, std::string("]]]]}}}}\"usage\":{:,"),
          std::string("\"usage\":{\"prompt_tokens\":1}")}) {
        const auto view = reader.read(scanned(body, 5).digest(), Operation::embeddings);
        ASSERT_TRUE(view) << body.substr(0, 50);
        EXPECT_FALSE(view->usage.reported()) << body.substr(0, 50);
    }
    EXPECT_LT(scanned(large, 1000).digest().size(), 16U * 1024);
}

} // namespace
} // namespace tollgate::api
