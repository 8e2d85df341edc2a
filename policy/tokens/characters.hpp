// What the split rules want to know of a character (api-surface §10.3), from ICU's general categories and White_Space.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tollgate::tokens {

using Classes = std::uint8_t; // a set of the following
inline constexpr Classes kLetter = 1U << 0U;
inline constexpr Classes kNumber = 1U << 1U;  // Nd, Nl, No
inline constexpr Classes kSpace = 1U << 2U;   // White_Space, which U+FEFF and U+200B have not
inline constexpr Classes kNewline = 1U << 3U; // CR, LF
inline constexpr Classes kUpper = 1U << 4U;   // Lu, Lt, Lm, Lo, M: what an o200k word begins with
inline constexpr Classes kLower = 1U << 5U;   // Ll, Lm, Lo, M: what it goes on with
inline constexpr Classes kEnd = 1U << 6U;     // no character at all

struct Character {
    Classes classes;
    std::uint8_t octets; // 0 at the end

    [[nodiscard]] constexpr bool is(Classes any) const noexcept { return (classes & any) != 0; }
};

// One octet per code point, made once for the process and immutable from then on.
class CharacterTable {
  public:
    [[nodiscard]] static const CharacterTable& instance();

    // `text` is valid UTF-8; `at` begins a character of it or is its end.
    [[nodiscard]] Character at(std::string_view text, std::size_t at) const noexcept {
        if (at == text.size()) return {kEnd, 0};
        const auto octet = [&](std::size_t i) {
            return static_cast<std::uint32_t>(static_cast<unsigned char>(text[at + i]));
        };
        const std::uint32_t lead = octet(0);
        if (lead < 0x80U) return {classes_[lead], 1};
        const auto tail = [&](std::size_t i) { return octet(i) & 0x3fU; };
        if (lead < 0xe0U) return {classes_[(lead & 0x1fU) << 6U | tail(1)], 2};
        if (lead < 0xf0U) return {classes_[(lead & 0x0fU) << 12U | tail(1) << 6U | tail(2)], 3};
        return {classes_[(lead & 0x07U) << 18U | tail(1) << 12U | tail(2) << 6U | tail(3)], 4};
    }

  private:
    explicit CharacterTable(std::span<const Classes> classes) noexcept : classes_(classes) {}

    std::span<const Classes> classes_;
};

} // namespace tollgate::tokens
