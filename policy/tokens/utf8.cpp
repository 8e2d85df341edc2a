#include "policy/tokens/utf8.hpp"

#include <cstddef>
#include <cstdint>
#include <simdjson.h>

namespace tollgate::tokens {
namespace {

struct Sequence {
    std::size_t octets;
    bool well_formed;
};

// What begins at the front of `text`, which is not empty (Unicode table 3-7).
Sequence front_of(std::string_view text) noexcept {
    const auto octet = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t lead = octet(0);
    if (lead < 0x80) return {1, true};
    if (lead < 0xc2 || lead > 0xf4) return {1, false};
    const std::size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    const std::uint8_t least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const std::uint8_t most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    for (std::size_t i = 1; i < length; ++i) {
        if (i >= text.size()) return {i, false};
        const bool fits = i == 1 ? octet(1) >= least && octet(1) <= most : (octet(i) & 0xc0U) == 0x80U;
        if (fits) continue;
        const bool surrogate =
            lead == 0xed && i == 1 && text.size() >= 3 && (octet(1) & 0xe0U) == 0xa0U && (octet(2) & 0xc0U) == 0x80U;
        return {surrogate ? 3 : i, false};
    }
    return {length, true};
}

} // namespace

bool is_utf8(std::string_view text) noexcept {
    return simdjson::validate_utf8(text.data(), text.size());
}

std::string repaired_utf8(std::string_view text) {
    std::string repaired;
    repaired.reserve(text.size());
    while (!text.empty()) {
        const Sequence front = front_of(text);
        repaired += front.well_formed ? text.substr(0, front.octets) : std::string_view("\xef\xbf\xbd");
        text.remove_prefix(front.octets);
    }
    return repaired;
}

} // namespace tollgate::tokens
