// Cuts text into the pieces that are merged alone (api-surface §10.3). It is what tiktoken's regular expressions match,
// written out: the first rule that matches wins, not the longest.
#pragma once

#include "policy/tokens/characters.hpp"
#include "policy/tokens/encoding_kind.hpp"

#include <cstddef>
#include <string_view>

namespace tollgate::tokens {

// Walks over a text, which has to be valid UTF-8 and to outlive it. Time is linear in the text, no octet is looked at
// more than a few times; no memory.
class Splitter {
  public:
    Splitter(EncodingKind kind, std::string_view text) : kind_(kind), text_(text) {}

    // The next piece, never empty; empty at the end of the text.
    [[nodiscard]] std::string_view next() noexcept;

  private:
    [[nodiscard]] Character at(std::size_t position) const noexcept { return table_.at(text_, position); }
    [[nodiscard]] bool holds(std::size_t position, char c) const noexcept {
        return position < text_.size() && text_[position] == c;
    }
    [[nodiscard]] std::size_t skip(std::size_t position, Classes classes) const noexcept;
    [[nodiscard]] std::size_t contraction(std::size_t position) const noexcept;
    // Each answers where its piece ends; `position` itself if the rule does not match.
    [[nodiscard]] std::size_t cl100k_word(std::size_t position) const noexcept;
    [[nodiscard]] std::size_t o200k_word(std::size_t position) const noexcept;
    [[nodiscard]] std::size_t o200k_letters(std::size_t position) const noexcept;
    [[nodiscard]] std::size_t number(std::size_t position) const noexcept;
    [[nodiscard]] std::size_t others(std::size_t position) const noexcept;
    [[nodiscard]] std::size_t space(std::size_t position) const noexcept;

    const CharacterTable& table_ = CharacterTable::instance();
    EncodingKind kind_;
    std::string_view text_;
    std::size_t position_ = 0;
};

} // namespace tollgate::tokens
