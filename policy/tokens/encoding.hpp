// The tokens of a text, as OpenAI's models count them: cl100k_base and o200k_base (api-surface §10). Text is only ever
// text here: a literal <|endoftext|> is what its characters are.
#pragma once

#include "policy/tokens/encoding_kind.hpp"
#include "policy/tokens/rank_table.hpp"

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tollgate::tokens {

// "cl100k_base"
[[nodiscard]] std::string_view name_of(EncodingKind kind) noexcept;

// Immutable, 5 MB (cl100k) or 11 MB (o200k), loaded once; every thread may use it. Movable, not copyable.
class Encoding {
  public:
    // Reads a rank file as OpenAI publishes it, which deploy/fetch-tokenizers gets; any other content is refused, since
    // it would count wrongly. The error names no path.
    [[nodiscard]] static std::expected<Encoding, std::string> load(const std::string& path, EncodingKind kind);

    Encoding(Encoding&&) noexcept = default;
    Encoding& operator=(Encoding&&) noexcept = default;

    // Linear in the text, whatever it is: one core counts 30 to 60 MB of prose or code in a second, and 2 to 10 MB of
    // the worst there is (one long piece: letters or blanks without end). Memory: under 1 MiB, and for a text that is
    // not UTF-8 a copy of it in which U+FFFD stands for every ill-formed sequence and lone surrogate.
    [[nodiscard]] std::size_t count(std::string_view utf8) const;
    // The same tokens by their ranks.
    [[nodiscard]] std::vector<Rank> encode(std::string_view utf8) const;

    [[nodiscard]] EncodingKind kind() const noexcept { return kind_; }

  private:
    Encoding(EncodingKind kind, RankTable table) : kind_(kind), table_(std::move(table)) {}
    [[nodiscard]] std::size_t walk(std::string_view utf8, std::vector<Rank>* out) const;

    EncodingKind kind_;
    RankTable table_;
};

} // namespace tollgate::tokens
