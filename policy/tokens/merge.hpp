// Byte-pair merging of one piece of text: from single octets on, the adjacent pair whose joined octets have the lowest
// rank is joined, the leftmost first, until no pair is a token (api-surface §10.3).
#pragma once

#include "policy/tokens/rank_table.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tollgate::tokens {

// Owner of the scratch memory, which is kept between pieces: some 40 octets for each of the longest stretch that was
// merged at once, which is `window` octets at most. One thread. `table` must outlive it.
class Merger {
  public:
    static constexpr std::size_t kWindow = 4'096;
    static constexpr std::size_t kMargin = 8; // tokens at the end of a window that the next one decides anew

    // `window` and `margin` are for tests; 2 and 1 at least.
    explicit Merger(const RankTable& table, std::size_t window = kWindow, std::size_t margin = kMargin)
        : table_(table), window_(window), margin_(margin) {}

    // How many tokens the piece becomes; they are appended to `out` unless that is null. O(n log n) in a window, linear
    // in longer pieces.
    [[nodiscard]] std::size_t merge(std::string_view piece, std::vector<Rank>* out);

  private:
    // A part of the text while it is merged, by where it begins; `pair` is the rank of it joined with the next one.
    struct Part {
        std::uint32_t begin;
        Rank pair;
    };
    struct Node {
        std::uint32_t next, previous;
        Rank pair;
    };
    using Begins = std::vector<std::uint32_t>; // where the tokens of a text begin, then its end

    void split(std::string_view text, Begins& begins);
    void split_short(std::string_view text, Begins& begins);
    void split_long(std::string_view text, Begins& begins);
    void find_pair(std::string_view text, std::uint32_t at);
    [[nodiscard]] bool stay_apart(std::string_view left, std::string_view right);
    [[nodiscard]] std::size_t merge_windows(std::string_view piece, std::vector<Rank>* out);
    void append(std::string_view text, std::size_t tokens, std::vector<Rank>* out) const;

    const RankTable& table_;
    std::size_t window_;
    std::size_t margin_;
    Begins begins_, joint_;
    std::vector<Part> parts_;
    std::vector<Node> nodes_;
    std::vector<std::uint64_t> heap_; // rank and position, the least on top; entries that no longer hold stay in it
};

} // namespace tollgate::tokens
