// The tokens of an encoding by their octets. Immutable once made, so every thread may read it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::tokens {

using Rank = std::uint32_t;
inline constexpr Rank kNoRank = 0xffff'ffffU;

class RankTable {
  public:
    // The text of a .tiktoken file: lines of a token in base64, a space, its rank. Ranks count up from 0, no token
    // comes twice, and every single octet is one.
    [[nodiscard]] static std::expected<RankTable, std::string> parse(std::string_view text);

    // kNoRank if it is no token.
    [[nodiscard]] Rank rank_of(std::string_view octets) const noexcept;
    // `rank` must be below size().
    [[nodiscard]] std::string_view octets_of(Rank rank) const noexcept {
        return std::string_view(octets_).substr(begins_[rank], begins_[rank + 1] - begins_[rank]);
    }
    [[nodiscard]] std::size_t size() const noexcept { return begins_.size() - 1; }

  private:
    // Tokens of up to 8 octets, which are nearly all that is looked up, are found in the slot itself.
    struct Key {
        std::uint64_t value;  // the octets, of longer tokens their hash
        std::uint32_t length; // in octets
    };
    struct Slot {
        std::uint64_t value = 0;
        std::uint32_t length = 0;
        Rank rank = kNoRank;
    };

    RankTable() = default;
    [[nodiscard]] static Key key_of(std::string_view octets) noexcept;
    [[nodiscard]] std::size_t home_of(const Key& key) const noexcept;
    [[nodiscard]] bool index();

    std::string octets_;                // all tokens in the order of their ranks
    std::vector<std::uint32_t> begins_; // into octets_, and its end
    std::vector<Slot> slots_;           // open addressing, at most half full, a power of two of them
    std::size_t longest_ = 0;           // token, in octets
};

} // namespace tollgate::tokens
