// Byte-pair merging against the plainest way to write it down, over encodings made up for it.
#include "policy/tokens/merge.hpp"
#include "policy/tokens/rank_table.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::tokens {
namespace {

std::string base64(std::string_view octets) {
    constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < octets.size(); i += 3) {
        std::uint32_t bits = 0;
        for (std::size_t j = i; j < i + 3; ++j) {
            bits = bits << 8U | (j < octets.size() ? static_cast<unsigned char>(octets[j]) : 0U);
        }
        for (std::size_t j = 0; j < 4; ++j) {
            out += i + j > octets.size() ? '=' : kAlphabet[bits >> (18U - 6U * static_cast<unsigned>(j)) & 63U];
        }
    }
    return out;
}

std::string rank_file(const std::vector<std::string>& tokens) {
    std::string text;
    for (std::size_t i = 0; i < tokens.size(); ++i) text += fmt::format("{} {}\n", base64(tokens[i]), i);
    return text;
}

std::vector<std::string> octets() {
    std::vector<std::string> all;
    for (int octet = 0; octet < 256; ++octet) all.emplace_back(1, static_cast<char>(octet));
    return all;
}

RankTable table_of(const std::vector<std::string>& more) {
    std::vector<std::string> tokens = octets();
    tokens.insert(tokens.end(), more.begin(), more.end());
    auto table = RankTable::parse(rank_file(tokens));
    if (!table) throw std::runtime_error(table.error());
    return std::move(*table);
}

std::vector<Rank> plainly_merged(const RankTable& table, std::string_view text) {
    std::vector<std::string> parts;
    for (const char c : text) parts.emplace_back(1, c);
    for (;;) {
        Rank least = kNoRank;
        std::size_t at = 0;
        for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
            const Rank rank = table.rank_of(parts[i] + parts[i + 1]);
            if (rank < least) least = rank, at = i;
        }
        if (least == kNoRank) break;
        parts[at] += parts[at + 1];
        parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
    std::vector<Rank> ranks;
    for (const std::string& part : parts) ranks.push_back(table.rank_of(part));
    return ranks;
}

class TokenMerge : public testing::Test {
  protected:
    std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_); }
    std::string text(std::string_view letters, std::size_t size) {
        std::string made;
        while (made.size() < size) made += letters[below(letters.size())];
        return made;
    }
    // Each token joins two earlier ones, as training makes them.
    std::vector<std::string> trained(std::string_view letters, std::size_t size) {
        std::vector<std::string> tokens, all;
        for (const char c : letters) all.emplace_back(1, c);
        std::set<std::string> known(all.begin(), all.end());
        while (tokens.size() < size) {
            std::string joined = all[below(all.size())] + all[below(all.size())];
            if (joined.size() > 12 || !known.insert(joined).second) continue;
            all.push_back(joined);
            tokens.push_back(joined);
        }
        return tokens;
    }

    std::mt19937_64 random_{20'240'601};
};

// Lengths around the change from scanning to the heap, and above it.
TEST_F(TokenMerge, EqualsTheDefinition) {
    for (int round = 0; round < 60; ++round) {
        std::vector<std::string> tokens = trained("abc", 5 + below(60));
        if (round % 3 == 2) std::ranges::shuffle(tokens, random_); // ranks that no training gives
        const RankTable table = table_of(tokens);
        Merger merger(table);
        for (int i = 0; i < 12; ++i) {
            const std::string piece = text(i % 2 == 0 ? "abc" : "ab", 1 + below(200));
            std::vector<Rank> ranks;
            EXPECT_EQ(merger.merge(piece, nullptr), merger.merge(piece, &ranks));
            ASSERT_EQ(ranks, plainly_merged(table, piece)) << piece;
        }
    }
}

TEST_F(TokenMerge, WindowsChangeNothing) {
    for (int round = 0; round < 60; ++round) {
        const RankTable table = table_of(trained("abcd", 20 + below(100)));
        Merger merger(table, 64 + below(64), 1 + below(8));
        const std::string piece = round % 6 == 0 ? std::string(700, 'a') : text("abcd", 700);
        std::vector<Rank> ranks;
        EXPECT_EQ(merger.merge(piece, nullptr), merger.merge(piece, &ranks));
        ASSERT_EQ(ranks, plainly_merged(table, piece)) << piece;
    }
}

// Pairs that are the better the further right they are: the last one decides how all before it are joined. So long a
// chain that no window holds it is told apart from the exact answer by one token for each window at most.
TEST_F(TokenMerge, AChainThatIsLongerThanTheWindow) {
    std::string chain;
    for (int octet = 0; octet < 256; ++octet) chain += static_cast<char>(octet);
    std::vector<std::string> pairs;
    for (std::size_t i = chain.size() - 1; i-- > 0;) pairs.push_back(chain.substr(i, 2));
    const RankTable table = table_of(pairs);
    for (std::size_t size = 240; size <= 256; ++size) {
        const std::string piece = chain.substr(0, size);
        const std::vector<Rank> exact = plainly_merged(table, piece);
        std::vector<Rank> ranks;
        EXPECT_EQ(Merger(table).merge(piece, &ranks), exact.size());
        EXPECT_EQ(ranks, exact);
        ranks.clear();
        const std::size_t count = Merger(table, 32, 2).merge(piece, &ranks);
        EXPECT_EQ(count, ranks.size());
        EXPECT_GE(count, exact.size());
        EXPECT_LE(count, exact.size() + 256 / 14);
        std::string joined;
        for (const Rank rank : ranks) joined += table.octets_of(rank);
        EXPECT_EQ(joined, piece);
    }
}

TEST_F(TokenMerge, TheLeftmostOfEqualPairsIsJoinedFirst) {
    const RankTable table = table_of({"aa", "aaaa"});
    Merger merger(table);
    std::vector<Rank> ranks;
    EXPECT_EQ(merger.merge("aaaaaaa", &ranks), 3U);
    EXPECT_EQ(ranks, (std::vector<Rank>{257, 256, 'a'}));
    EXPECT_EQ(merger.merge("", &ranks), 0U);
}

TEST(RankTable, FindsEveryTokenAndNoOther) {
    const RankTable table = table_of({"ab", "abc", std::string("\0\0", 2)});
    EXPECT_EQ(table.size(), 259U);
    for (Rank rank = 0; rank < table.size(); ++rank) EXPECT_EQ(table.rank_of(table.octets_of(rank)), rank);
    EXPECT_EQ(table.rank_of(""), kNoRank);
    EXPECT_EQ(table.rank_of("bc"), kNoRank);
    EXPECT_EQ(table.rank_of("abcd"), kNoRank);
    EXPECT_EQ(table.rank_of(std::string_view("\0\0\0", 3)), kNoRank);
}

TEST(RankTable, RefusesWhatIsNoRankFile) {
    const std::string good = rank_file(octets());
    EXPECT_TRUE(RankTable::parse(good).has_value());
    for (const std::string_view line : {"YWI=", "YWI= ", "YWI= 257", "YWI= -1", "YWI 256", "YW%= 256", " 256",
                                        "YWI=256", "YWJ= 256", "====  256", "YWI= 256\n\n"}) {
        const auto table = RankTable::parse(good + std::string(line) + "\n");
        ASSERT_FALSE(table.has_value()) << line;
        EXPECT_EQ(table.error(), line.ends_with('\n') ? "there is no token of rank 257 in its line"
                                                      : "there is no token of rank 256 in its line");
    }
    const auto doubled = RankTable::parse(good + "YQ== 256\n");
    ASSERT_FALSE(doubled.has_value());
    EXPECT_EQ(doubled.error(), "a token comes twice");
    for (const std::string& text : {std::string(), rank_file({"a"})}) {
        const auto lacking = RankTable::parse(text);
        ASSERT_FALSE(lacking.has_value());
        EXPECT_EQ(lacking.error(), "octet 0x00 is no token");
    }
}

} // namespace
} // namespace tollgate::tokens
