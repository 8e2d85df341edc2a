// Texts whose tokens the reference implementation has counted (tests/corpus/tokens, tests/tokens_reference).
#include "tests/unit/tokens/encodings.hpp"

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::tokens {
namespace {

std::string_view take_word(std::string_view& line) {
    const std::size_t blank = line.find(' ');
    if (blank == std::string_view::npos) throw std::runtime_error("a case has five fields");
    const std::string_view word = line.substr(0, blank);
    line.remove_prefix(blank + 1);
    return word;
}

std::uint64_t number(std::string_view digits, int base) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    if (error != std::errc() || end != digits.data() + digits.size()) throw std::runtime_error("no number in a case");
    return value;
}

// \xNN is an octet; nothing else is escaped.
std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            out += text[i];
            continue;
        }
        out += static_cast<char>(number(text.substr(i + 2, 2), 16));
        i += 3;
    }
    return out;
}

std::uint64_t digest_of(const std::vector<Rank>& ranks) {
    std::uint64_t value = 0xcbf29ce484222325;
    for (const Rank rank : ranks) value = (value ^ rank) * 0x100000001b3;
    return value;
}

void expect_tokens(const Encoding& encoding, const std::string& text, std::uint64_t count, std::uint64_t digest) {
    const std::vector<Rank> ranks = encoding.encode(text);
    EXPECT_EQ(ranks.size(), count) << name_of(encoding.kind());
    EXPECT_EQ(digest_of(ranks), digest) << name_of(encoding.kind());
    EXPECT_EQ(encoding.count(text), count) << name_of(encoding.kind());
}

TEST(TokenCorpus, EqualsTheReferenceImplementation) {
    const char* const other = std::getenv("TOLLGATE_TOKEN_CASES");
    std::ifstream file(other != nullptr ? other : TOLLGATE_CORPUS_DIR "/tokens/cases");
    ASSERT_TRUE(file);
    std::string row;
    std::size_t rows = 0;
    while (std::getline(file, row)) {
        SCOPED_TRACE(fmt::format("case {}: {}", ++rows, row.substr(0, 500)));
        std::string_view line = row;
        for (const Encoding* encoding : {&cl100k(), &o200k()}) {
            const std::uint64_t count = number(take_word(line), 10);
            const std::uint64_t digest = number(take_word(line), 16);
            std::string_view fields = line;
            if (encoding == &cl100k()) take_word(fields), take_word(fields);
            expect_tokens(*encoding, unescaped(fields), count, digest);
        }
        ASSERT_FALSE(HasFailure());
    }
    EXPECT_GE(rows, 2'000U);
}

} // namespace
} // namespace tollgate::tokens
