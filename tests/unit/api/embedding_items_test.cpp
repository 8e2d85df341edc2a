#include "gateway/api/embedding_items.hpp"

#include "gateway/api/request_view.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace tollgate::api {
namespace {

using Texts = std::vector<std::string_view>;

std::string padded(std::string_view text) {
    std::string out;
    out.reserve(text.size() + RequestReader::padding());
    out = text;
    return out;
}

TEST(EmbeddingInputs, areTakenApart) {
    const std::string texts = padded(R"({ "input" : [ "a" , "b\u0041" ], "model":"m" })");
    const auto two = embedding_inputs(texts);
    ASSERT_TRUE(two);
    EXPECT_EQ(two->items, (Texts{R"("a")", R"("b\u0041")"}));
    EXPECT_EQ(texts.substr(two->offset, two->length), R"([ "a" , "b\u0041" ])");
    EXPECT_FALSE(two->base64);

    const std::string text = padded(R"({"encoding_format":"base64","input":"a"})");
    const auto one = embedding_inputs(text);
    ASSERT_TRUE(one);
    EXPECT_EQ(one->items, Texts{R"("a")"});
    EXPECT_TRUE(one->base64);

    const std::string tokens = padded(R"({"input":[1, 2,3]})");
    const auto numbers = embedding_inputs(tokens);
    ASSERT_TRUE(numbers);
    EXPECT_EQ(numbers->items, Texts{"[1, 2,3]"}) << "a list of tokens is one input";

    const std::string lists = padded(R"({"input":[[1,2],[3]]})");
    EXPECT_EQ(embedding_inputs(lists)->items, (Texts{"[1,2]", "[3]"}));
}

TEST(EmbeddingInputs, whatIsStrangeStaysWhole) {
    for (const std::string_view body :
         {R"({"input":[]})", R"({"input":["a",1]})", R"({"input":[["a"],"b"]})", R"({"input":{"a":1}})",
          R"({"input":1})", R"({"input":null})", R"({"model":"m"})", R"({"input":"a","encoding_format":"int8"})",
          R"({"input":"a","encoding_format":1})", R"({"input":[{"type":"text"}]})"}) {
        EXPECT_FALSE(embedding_inputs(padded(body))) << body;
    }
    std::string many = R"({"input":["")";
    for (std::size_t i = 0; i < kMostInputs; ++i) many += R"(,"")";
    EXPECT_FALSE(embedding_inputs(padded(many + "]}")));
}

TEST(EmbeddingInputs, someOfThemMakeASmallerRequest) {
    const std::string body = padded(R"({"a":1,"input":["x","y","z"],"b":2})");
    const auto inputs = embedding_inputs(body);
    ASSERT_TRUE(inputs);
    EXPECT_EQ(with_inputs(body, *inputs, {0, 2}), R"({"a":1,"input":["x","z"],"b":2})");
    EXPECT_EQ(with_inputs(body, *inputs, {1}), R"({"a":1,"input":["y"],"b":2})");
}

constexpr std::string_view kAnswer =
    R"({"object":"list","data":[{"object":"embedding","index":1,"embedding":[0.5,-1]},)"
    R"({"object":"embedding","embedding":"AAAAPw==","index":0}],"model":"e","usage":{"prompt_tokens":10,"total_tokens":10}})";

TEST(EmbeddingAnswer, isReadByIndex) {
    const auto answer = read_embeddings(kAnswer, {"\"a\"", "\"abcdefg\""});
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->model, "e");
    EXPECT_EQ(answer->items[0].value, R"("AAAAPw==")");
    EXPECT_EQ(answer->items[1].value, "[0.5,-1]");
    EXPECT_EQ(answer->items[0].tokens + answer->items[1].tokens, 10U) << "no token is lost or made";
    EXPECT_LT(answer->items[0].tokens, answer->items[1].tokens);
}

TEST(EmbeddingAnswer, thatIsNotWholeIsNone) {
    for (const std::string_view body : {R"({"data":[]})", R"({"data":[{"index":0,"embedding":[1]}]})",
                                        R"({"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]})",
                                        R"({"data":[{"index":0,"embedding":[1]},{"index":2,"embedding":[1]}]})",
                                        R"({"data":[{"index":0,"embedding":[1]},{"embedding":[1]}]})",
                                        R"({"data":[{"index":0},{"index":1}]})", R"({"model":"e"})", R"([1])", "",
                                        R"({"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1]}]} x)"}) {
        EXPECT_FALSE(read_embeddings(body, {"\"a\"", "\"b\""})) << body;
    }
}

TEST(Embedding, changesItsFormWithoutLoss) {
    EXPECT_EQ(embedding_as("[0.5, -1 ]", true), R"("AAAAPwAAgL8=")");
    EXPECT_EQ(embedding_as(R"("AAAAPwAAgL8=")", false), "[0.5,-1]");
    EXPECT_EQ(embedding_as("[]", true), R"("")");
    EXPECT_EQ(embedding_as("[0.1]", false), "[0.1]") << "what has the form already stays as it was written";
    std::mt19937 random(1);
    std::string list = "[";
    std::normal_distribution<float> around(0, 0.03F);
    for (int i = 0; i < 1'537; ++i) list += (i > 0 ? "," : "") + std::to_string(around(random));
    list += ']';
    const auto packed = embedding_as(list, true);
    ASSERT_TRUE(packed);
    const auto back = embedding_as(*packed, false);
    ASSERT_TRUE(back);
    EXPECT_EQ(embedding_as(*back, true), packed);
}

TEST(Embedding, thatIsNoneIsRefused) {
    for (const std::string_view value : {"", "1", "[", "[\"a\"]", "[1,]", "[1] 2", "{}"})
        EXPECT_FALSE(embedding_as(value, true)) << value;
    for (const std::string_view value : {R"("A")", R"("AAAA")", R"("AA\nA")", R"("AACAfw==")", R"("AADAfw==")"})
        EXPECT_FALSE(embedding_as(value, false)) << value; // the last two: infinity, NaN
}

TEST(EmbeddingAnswer, isWrittenAsTheProviderWould) {
    const auto answer = read_embeddings(kAnswer, {"\"a\"", "\"b\""});
    ASSERT_TRUE(answer);
    EXPECT_EQ(write_embeddings(*answer, false),
              R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]},)"
              R"({"object":"embedding","index":1,"embedding":[0.5,-1]}],"model":"e",)"
              R"("usage":{"prompt_tokens":10,"total_tokens":10}})");
    EXPECT_EQ(write_embeddings(*answer, true),
              R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":"AAAAPw=="},)"
              R"({"object":"embedding","index":1,"embedding":"AAAAPwAAgL8="}],"model":"e",)"
              R"("usage":{"prompt_tokens":10,"total_tokens":10}})");
}

TEST(Embedding, isPackedForTheCache) {
    const std::string packed = pack_embedding({.value = "[1]", .tokens = 7}, "a\nb");
    const auto back = unpack_embedding(packed);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->tokens, 7U);
    EXPECT_EQ(back->model, "a\nb");
    EXPECT_EQ(back->value, "[1]");
    for (const std::string_view bad : {"", "1", "1\n", "1\n9\nab", "x\n1\na"})
        EXPECT_FALSE(unpack_embedding(bad)) << bad;
}

} // namespace
} // namespace tollgate::api
