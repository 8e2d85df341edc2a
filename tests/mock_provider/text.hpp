#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tollgate::mock {

std::uint64_t hash_of(std::string_view text, std::uint64_t seed = 0);

/// 16 hexadecimal digits.
std::string hex_of(std::uint64_t value);

/// Octets [from, from + size) of the endless text of `seed`: words of seven letters and a space, so that a
/// token is eight octets.
void append_words(std::string& out, std::uint64_t seed, std::uint64_t from, std::uint64_t size);

/// `text` with quotes, as a JSON string.
void append_json_string(std::string& out, std::string_view text);

/// The same for octets in no known encoding: everything above ASCII is shown as the Latin-1 character it would be.
void append_json_octets(std::string& out, std::string_view octets);

std::string base64_of(std::string_view octets);

} // namespace tollgate::mock
