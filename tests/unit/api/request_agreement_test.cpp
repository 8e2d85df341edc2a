// DOM and On-Demand must judge alike, and splicing must replace exactly one token.
#include "gateway/api/request_view.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>
#include <random>

namespace tollgate::api {
namespace {

const std::vector<std::string>& corpus() {
    static const std::vector<std::string> kBodies{
        R"({"model":"gpt-4o","messages":[{"role":"system","content":"a\u00e9\n"},{"role":"user","content":[)"
        R"({"type":"text","text":"\ud83d\ude00"},{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}],)"
        R"("temperature":0.7,"max_tokens":128,"stream":true,"stream_options":{"include_usage":true},"n":2,)"
        R"("logit_bias":{"50256":-100},"stop":["a","b"],"seed":-9223372036854775808,"user":"u"})",
        R"({"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}},)"
        R"({"type":"web_search"}],"model":"m","input":[{"role":"user","content":"x"},{"type":"item_reference","id":)"
        R"("msg_1"}],"store":false,"metadata":{"a":"b"},"previous_response_id":null,"background":false})",
        R"( { "input" : [ [ 1 , 2 ] , [ ] , { } , "" , -0 , 0.0 , 1e5 , 1E-5 , 18446744073709551615 , null , true ] , )"
        R"("mo\u0064el" : "e\u006d\/b" , "encoding_format" : "base64" } )",
        R"({"a":{"b":{"c":{"d":[[[[{"e":[{"f":{}}]}]]]]}}},"":"","\u0000x":1})",
        R"({"model":"gpt-audio","max_tokens":null,"max_completion_tokens":null,"n":3,"best_of":4,"modalities":["text",)"
        R"("audio"],"audio":{"voice":"a"},"prediction":{"type":"content","content":"abc"},"service_tier":"priority",)"
        R"("n_predict":-1,"thinking":{"budget_tokens":7},"messages":[{"role":"user","content":[{"type":"input_audio",)"
        R"("input_audio":{"data":"UklGRg==","format":"wav"}},{"type":"image_url","image_url":{"url":"data:a;base64,eA"}},)"
        R"({"type":"video"}]}],"reasoning":{"mode":"x"},"size":"1x1","quality":"hd","partial_images":2})",
        R"({"model":"e","input":[[1,2,3],[4]],"max_tool_calls":2,"tools":[{"type":"image_generation"}]})",
        R"({"prompt":"say \"model\":\"x\"","model":"cheap","best_of":1,"extra_body":{"x":{"y":1}}})",
    };
    return kBodies;
}

std::string padded(std::string_view text) {
    std::string body;
    body.reserve(text.size() + RequestReader::padding());
    body = text;
    return body;
}

auto fields(const RequestView& view) {
    return std::tuple(view.model, view.model_token.offset, view.model_token.length, view.stream, view.include_usage,
                      view.store, view.store_present, view.has_previous_response, view.has_hosted_tools,
                      view.has_remote_content, view.temperature, view.has_seed, view.has_max_tokens, view.wants_base64,
                      view.members, view.cost, view.null_limit.offset, view.null_limit.length);
}

void expect_agreement(RequestReader& reader, const std::string& body, std::size_t& accepted) {
    for (const Operation operation : {Operation::chat, Operation::responses, Operation::embeddings, Operation::image}) {
        const auto dom = reader.read(body, operation, RequestReader::Parser::dom);
        const auto streamed = reader.read(body, operation, RequestReader::Parser::on_demand);
        ASSERT_EQ(dom.has_value(), streamed.has_value())
            << testing::PrintToString(body) << "\nDOM: " << (dom ? "ok" : dom.error().message)
            << "\nOn-Demand: " << (streamed ? "ok" : streamed.error().message);
        if (!dom) {
            ASSERT_EQ(dom.error().status, streamed.error().status) << testing::PrintToString(body);
            continue;
        }
        ++accepted;
        ASSERT_EQ(fields(*dom), fields(*streamed)) << testing::PrintToString(body);
        // A third parser is the witness that nothing malformed was let through.
        boost::json::error_code error;
        boost::json::parse_options options;
        options.max_depth = 64;
        boost::json::parse(body, error, {}, options);
        ASSERT_FALSE(error) << error.message() << " " << testing::PrintToString(body);
    }
}

std::string mutate(std::string body, std::mt19937_64& random) {
    static constexpr std::string_view kPieces[] = {"{",
                                                   "}",
                                                   "[",
                                                   "]",
                                                   ",",
                                                   ":",
                                                   "\"",
                                                   "\\",
                                                   "\\u",
                                                   "\\ud800",
                                                   "\\udc00",
                                                   "0",
                                                   "-",
                                                   ".",
                                                   "e",
                                                   "1",
                                                   " ",
                                                   "\n",
                                                   "true",
                                                   "null",
                                                   "nul",
                                                   "\"a\":1",
                                                   "\t",
                                                   "\xff",
                                                   "\xc3\xa9",
                                                   "\xed\xa0\x80",
                                                   "{}",
                                                   "[]",
                                                   "\"\"",
                                                   "\\u0000",
                                                   "\\n",
                                                   "1e400",
                                                   "99999999999999999999",
                                                   "\"model\":\"x\",",
                                                   "\"stream\":1,",
                                                   "tru",
                                                   "+",
                                                   "00",
                                                   std::string_view("\0", 1),
                                                   "\x7f",
                                                   "/",
                                                   "//",
                                                   "\xef\xbb\xbf"};
    const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
    for (std::size_t round = 1 + below(3); round > 0 && !body.empty(); --round) {
        const std::size_t at = below(body.size());
        switch (below(6)) {
        case 0: body.erase(at, 1 + below(4)); break;
        case 1: body.insert(at, kPieces[below(std::size(kPieces))]); break;
        case 2: body[at] = static_cast<char>(random()); break;
        case 3: body.replace(at, 1, kPieces[below(std::size(kPieces))]); break;
        case 4: body.resize(at); break;
        default: body.insert(at, body.substr(below(body.size()), 1 + below(24))); break;
        }
    }
    return body;
}

TEST(RequestAgreement, corpus_and_its_mutations_are_judged_alike) {
    constexpr std::uint64_t kSeed = 20261123;
    std::mt19937_64 random(kSeed);
    RequestReader reader;
    std::size_t accepted = 0;
    for (const std::string& body : corpus()) ASSERT_NO_FATAL_FAILURE(expect_agreement(reader, padded(body), accepted));
    for (int round = 0; round < 60'000; ++round) {
        const std::string& base = corpus()[random() % corpus().size()];
        ASSERT_NO_FATAL_FAILURE(expect_agreement(reader, padded(mutate(base, random)), accepted)) << "round " << round;
    }
    EXPECT_GT(accepted, 2'000U) << "the mutations must not all be refused";
}

TEST(RequestAgreement, every_prefix_is_refused) {
    RequestReader reader;
    for (const std::string& body : corpus()) {
        const std::size_t end = body.find_last_of('}');
        for (std::size_t size = 0; size <= end; ++size) {
            for (const auto parser : {RequestReader::Parser::dom, RequestReader::Parser::on_demand})
                ASSERT_FALSE(reader.read(padded(body.substr(0, size)), Operation::chat, parser))
                    << body.substr(0, size);
        }
    }
}

TEST(RequestAgreement, parser_by_size_is_invisible) {
    RequestReader reader;
    for (const std::size_t fill : {65'000U, 65'536U, 66'000U, 1'048'000U, 1'049'000U, 3'000'000U}) {
        const std::string body =
            padded("{\"x\":\"" + std::string(fill, 'a') + "\",\"model\":\"m\",\"stream\":true,\"y\":{\"z\":1}}");
        const auto view = reader.read(body, Operation::chat);
        ASSERT_TRUE(view) << fill;
        EXPECT_EQ(view->model, "m");
        EXPECT_TRUE(view->stream);
        EXPECT_EQ(view->members, 4U);
        EXPECT_EQ(body.substr(view->model_token.offset, view->model_token.length), "\"m\"");
        std::string bad = body;
        bad.insert(bad.size() - 2, ",\"z\":2");
        EXPECT_EQ(reader.read(bad, Operation::chat).error().code, "duplicate_key") << fill;
    }
}

std::string join(const Pieces& pieces) {
    return std::string(pieces.before).append(pieces.model).append(pieces.after);
}

TEST(Splice, replaces_the_model_and_nothing_else) {
    RequestReader reader;
    for (const std::string& body : corpus()) {
        const auto view = reader.read(padded(body), Operation::responses);
        if (!view || !view->model_token.present()) continue;
        const std::string spliced = join(splice_model(body, view->model_token, "\"other/name\""));
        boost::json::value expected = boost::json::parse(body);
        expected.as_object()["model"] = "other/name";
        EXPECT_EQ(boost::json::parse(spliced), expected) << spliced;
        const auto again = reader.read(padded(spliced), Operation::responses);
        ASSERT_TRUE(again) << spliced;
        EXPECT_EQ(again->model, "other/name");
        EXPECT_EQ(again->members, view->members);
        const auto token = body.substr(view->model_token.offset, view->model_token.length);
        EXPECT_EQ(join(splice_model(spliced, again->model_token, token)), body);
    }
}

TEST(Splice, absent_or_impossible_token_leaves_the_body) {
    EXPECT_EQ(join(splice_model("{}", {}, "\"m\"")), "{}");
    EXPECT_EQ(join(splice_model("{}", {1, 5}, "\"m\"")), "{}");
    EXPECT_EQ(join(splice_model("{}", {9, 1}, "\"m\"")), "{}");
    EXPECT_EQ(join(splice_model("{}", {1, SIZE_MAX}, "\"m\"")), "{}");
}

TEST(InsertModel, adds_the_first_member) {
    EXPECT_EQ(insert_model("{}", "m", 0), R"({"model":"m"})");
    EXPECT_EQ(insert_model(" {\"a\":1}", "m\"", 1), R"( {"model":"m\"","a":1})");
    RequestReader reader;
    const auto view = reader.read(padded(insert_model(R"({ "prompt" : "x" })", "ada", 1)), Operation::text_completion);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->model, "ada");
    EXPECT_EQ(view->members, 2U);
}

} // namespace
} // namespace tollgate::api
