#include "policy/tokens/rank_table.hpp"

#include "gateway/base/text.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <fmt/format.h>
#include <optional>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tollgate::tokens {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> kSextets = [] {
    std::array<std::int8_t, 256> values{};
    values.fill(-1);
    for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
        values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
    }
    return values;
}();

// RFC 4648 §4, with its padding. False if it is none.
bool append_base64(std::string& out, std::string_view text) {
    if (text.empty() || text.size() % 4 != 0) return false;
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : text.substr(0, text.size() - padding)) {
        const std::int8_t sextet = kSextets[static_cast<unsigned char>(c)];
        if (sextet < 0) return false;
        bits = (bits << 6U) | static_cast<std::uint32_t>(sextet);
        held += 6;
        if (held < 8) continue;
        held -= 8;
        out += static_cast<char>((bits >> held) & 0xffU);
    }
    return (bits & ((1U << held) - 1U)) == 0;
}

template <typename Number>
std::uint64_t load(const char* octets) noexcept {
    Number value;
    std::memcpy(&value, octets, sizeof value);
    return value;
}

} // namespace

// Different octets of the same length have different values as long as they fit: the two loads overlap, or touch.
RankTable::Key RankTable::key_of(std::string_view octets) noexcept {
    const char* const first = octets.data();
    const std::size_t length = octets.size();
    const auto key = [&](std::uint64_t value) { return Key{value, static_cast<std::uint32_t>(length)}; };
    if (length > 8) return key(XXH3_64bits(first, length));
    if (length >= 4) return key(load<std::uint32_t>(first) | load<std::uint32_t>(first + length - 4) << 32U);
    if (length >= 2) return key(load<std::uint16_t>(first) | load<std::uint16_t>(first + length - 2) << 16U);
    return key(length == 1 ? load<std::uint8_t>(first) : 0);
}

std::size_t RankTable::home_of(const Key& key) const noexcept {
    std::uint64_t mixed = (key.value ^ key.length) * 0x9e37'79b9'7f4a'7c15U;
    mixed = (mixed ^ mixed >> 32U) * 0x9e37'79b9'7f4a'7c15U;
    return (mixed >> 32U) & (slots_.size() - 1);
}

Rank RankTable::rank_of(std::string_view octets) const noexcept {
    if (octets.size() > longest_) return kNoRank;
    const Key key = key_of(octets);
    for (std::size_t i = home_of(key);; i = (i + 1) & (slots_.size() - 1)) {
        const Slot& slot = slots_[i];
        if (slot.rank == kNoRank) return kNoRank;
        if (slot.value != key.value || slot.length != key.length) continue;
        if (octets.size() <= 8 || octets_of(slot.rank) == octets) return slot.rank;
    }
}

// False if a token comes twice.
bool RankTable::index() {
    slots_.resize(std::bit_ceil(2 * size()));
    for (Rank rank = 0; rank < size(); ++rank) {
        const std::string_view octets = octets_of(rank);
        longest_ = std::max(longest_, octets.size());
        if (rank_of(octets) != kNoRank) return false;
        const Key key = key_of(octets);
        std::size_t i = home_of(key);
        while (slots_[i].rank != kNoRank) i = (i + 1) & (slots_.size() - 1);
        slots_[i] = {key.value, key.length, rank};
    }
    return true;
}

std::expected<RankTable, std::string> RankTable::parse(std::string_view text) {
    RankTable table;
    table.begins_.push_back(0);
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const std::size_t blank = line.find(' ');
        const bool whole = blank != std::string_view::npos && append_base64(table.octets_, line.substr(0, blank)) &&
                           parse_decimal(line.substr(blank + 1)) == std::optional<std::uint64_t>(table.size());
        if (!whole) return std::unexpected(fmt::format("there is no token of rank {} in its line", table.size()));
        table.begins_.push_back(static_cast<std::uint32_t>(table.octets_.size()));
    }
    if (!table.index()) return std::unexpected("a token comes twice");
    for (unsigned octet = 0; octet < 256; ++octet) {
        const char c = static_cast<char>(octet);
        if (table.rank_of({&c, 1}) == kNoRank) return std::unexpected(fmt::format("octet {:#04x} is no token", octet));
    }
    return table;
}

} // namespace tollgate::tokens
