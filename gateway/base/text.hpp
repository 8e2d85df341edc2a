// Small pure text helpers shared by every folder: ASCII only, no locale, no allocation unless a string is returned.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate {

[[nodiscard]] constexpr char ascii_lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
[[nodiscard]] bool iequals(std::string_view a, std::string_view b) noexcept;
// Removes SP and HTAB at both ends (OWS of RFC 9110 §5.6.3).
[[nodiscard]] std::string_view trim(std::string_view text) noexcept;
// 1*DIGIT that fits 64 bits, nothing else: no sign, no space (RFC 9110 §8.6).
[[nodiscard]] std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept;

// Appends text as the inside of a JSON string: quotes, backslash and C0 escaped; octets that are not UTF-8 become
// U+FFFD, so the result is always valid JSON.
void append_json_escaped(std::string& out, std::string_view text);
// The same with the quotes around it.
void append_json_string(std::string& out, std::string_view text);

// Levenshtein distance with an early stop: anything above `limit` is reported as limit + 1. For did-you-mean.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit);

// `*` matches any run of characters; everything else is literal. Linear in the sizes' product, no recursion.
[[nodiscard]] bool wildcard_match(std::string_view pattern, std::string_view text) noexcept;

} // namespace tollgate
