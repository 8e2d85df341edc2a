// The vectors of api-surface §10.3, and what a rank file has to be.
#include "policy/tokens/encoding.hpp"
#include "tests/unit/tokens/encodings.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <vector>

namespace tollgate::tokens {
namespace {

using Ranks = std::vector<Rank>;

struct Vector {
    std::string_view text;
    Ranks cl100k, o200k;
};

const std::vector<Vector>& vectors() {
    static const std::vector<Vector> all = {
        {"hello world", {15339, 1917}, {24912, 2375}},
        {"Hello, World! 12345", {9906, 11, 4435, 0, 220, 4513, 1774}, {13225, 11, 5922, 0, 220, 7633, 2548}},
        {"a \n ", {64, 720, 220}, {64, 793, 220}},
        {"a \n\n  b", {64, 4815, 220, 293}, {64, 1202, 220, 287}},
        {"  \n", {2355}, {4066}},
        {"I'm SURE it'S ok", {40, 2846, 328, 4622, 433, 13575, 5509}, {15390, 336, 8141, 480, 31233, 4763}},
        {"naïve café 東京 🙂",
         {3458, 38672, 588, 53050, 61696, 109, 47653, 28584},
         {1503, 9954, 737, 30469, 185244, 26192}},
        {"HTTPServer2024/x\n/y", {9412, 5592, 2366, 19, 11009, 198, 27589}, {17893, 6444, 1323, 19, 22739, 198, 52534}},
        {"\t\tx  ", {197, 10436, 256}, {197, 21395, 256}},
        {"e\u0301tude", {68, 54939, 83, 799}, {68, 13430, 83, 3525}},
        {"<|endoftext|>", {27, 91, 8862, 728, 428, 91, 29}, {27, 91, 419, 1440, 919, 91, 29}},
        {"DON'T stop", {85741, 17773, 3009}, {134882, 51532, 5666}},
    };
    return all;
}

TEST(TokenEncoding, CountsTheTwelveVectors) {
    ASSERT_EQ(vectors().size(), 12U);
    for (const Vector& vector : vectors()) {
        EXPECT_EQ(cl100k().encode(vector.text), vector.cl100k) << vector.text;
        EXPECT_EQ(o200k().encode(vector.text), vector.o200k) << vector.text;
        EXPECT_EQ(cl100k().count(vector.text), vector.cl100k.size()) << vector.text;
        EXPECT_EQ(o200k().count(vector.text), vector.o200k.size()) << vector.text;
    }
}

// Where libraries in JavaScript deviate from the reference (§10.3).
TEST(TokenEncoding, AByteOrderMarkIsOneToken) {
    EXPECT_EQ(cl100k().encode("\ufeff"), Ranks{3305});
    EXPECT_EQ(o200k().encode("\ufeff"), Ranks{5574});
}

TEST(TokenEncoding, NothingIsNoTokens) {
    EXPECT_EQ(cl100k().count(""), 0U);
    EXPECT_TRUE(o200k().encode("").empty());
}

TEST(TokenEncoding, LoneSurrogatesCountAsReplacementCharacters) {
    EXPECT_EQ(o200k().encode("a\xed\xa0\x80 b"), o200k().encode("a\ufffd b"));
    EXPECT_EQ(cl100k().encode("\xed\xb0\x80\xff"), cl100k().encode("\ufffd\ufffd"));
}

// A megabyte that is one piece. The bound is ten times what a slow machine with sanitizers needs, and a hundredth of
// what quadratic merging would take.
TEST(TokenEncoding, AMegabyteOfOnePieceIsCountedInLinearTime) {
    constexpr std::size_t kSize = 1'000'000;
    const auto began = std::chrono::steady_clock::now();
    EXPECT_EQ(cl100k().count(std::string(kSize, 'a')), kSize / 8);
    EXPECT_EQ(o200k().count(std::string(kSize, 'a')), kSize / 8);
    EXPECT_GT(cl100k().count(std::string(kSize, ' ')), 0U);
    EXPECT_GT(o200k().count(std::string(kSize, '\n')), 0U);
    EXPECT_GT(o200k().count(std::string(kSize, '!')), 0U);
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(100));
}

TEST(TokenEncoding, ThreadsShareIt) {
    std::atomic<std::size_t> wrong = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&wrong] {
            for (int round = 0; round < 200; ++round) {
                for (const Vector& vector : vectors()) {
                    if (o200k().count(vector.text) != vector.o200k.size()) ++wrong;
                }
            }
        });
    }
    threads.clear();
    EXPECT_EQ(wrong, 0U);
}

class RankFile : public testing::Test {
  protected:
    RankFile() : folder_(std::filesystem::temp_directory_path() / ("tollgate-tokens-" + std::to_string(getpid()))) {
        std::filesystem::create_directory(folder_);
    }
    ~RankFile() override { std::filesystem::remove_all(folder_); }

    std::string write(const std::string& name, std::string_view content) const {
        const std::string path = folder_ / name;
        std::ofstream(path, std::ios::binary) << content;
        return path;
    }
    static std::string published(const std::string& name) {
        std::ifstream file(std::string(TOLLGATE_TOKENIZERS_DIR "/") + name, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    std::filesystem::path folder_;
};

TEST_F(RankFile, MustBeThePublishedOne) {
    std::string content = published("cl100k_base.tiktoken");
    EXPECT_TRUE(Encoding::load(write("good", content), EncodingKind::cl100k_base).has_value());
    const std::string why = "it is not the published rank file of ";
    const auto other = Encoding::load(folder_ / "good", EncodingKind::o200k_base);
    ASSERT_FALSE(other.has_value());
    EXPECT_EQ(other.error(), why + "o200k_base");
    content[1000] ^= 1;
    const auto damaged = Encoding::load(write("damaged", content), EncodingKind::cl100k_base);
    ASSERT_FALSE(damaged.has_value());
    EXPECT_EQ(damaged.error(), why + "cl100k_base");
    EXPECT_FALSE(Encoding::load(write("empty", ""), EncodingKind::cl100k_base).has_value());
    EXPECT_FALSE(Encoding::load(folder_, EncodingKind::cl100k_base).has_value());
}

TEST_F(RankFile, AnAbsentDirectoryIsNamed) {
    const auto loaded = Tokenizers::load(folder_ / "absent");
    ASSERT_FALSE(loaded.has_value());
    EXPECT_EQ(loaded.error(), (folder_ / "absent/cl100k_base.tiktoken: No such file or directory").string());
}

TEST(Tokenizers, KnowNoModelUntilLoaded) {
    EXPECT_EQ(Tokenizers().for_model("gpt-4o"), nullptr);
    EXPECT_EQ(tokenizers().for_model("gpt-4o-mini"), &o200k());
    EXPECT_EQ(tokenizers().for_model("gpt-4-turbo"), &cl100k());
    EXPECT_EQ(tokenizers().for_model("claude-sonnet-4"), nullptr);
}

} // namespace
} // namespace tollgate::tokens
