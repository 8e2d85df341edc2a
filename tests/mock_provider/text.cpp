#include "tests/mock_provider/text.hpp"

#include <algorithm>
#include <array>

namespace tollgate::mock {
namespace {

constexpr std::array<std::string_view, 32> kWords{
    "gateway", "request", "network", "message", "counter", "channel", "station", "machine",
    "harvest", "journey", "kitchen", "lantern", "monster", "orchard", "pattern", "quarter",
    "rainbow", "science", "teacher", "uniform", "village", "weather", "android", "balance",
    "captain", "diamond", "elegant", "fiction", "general", "history", "imagine", "justice"};
static_assert(std::all_of(kWords.begin(), kWords.end(), [](auto word) { return word.size() == 7; }));

constexpr std::uint64_t mix(std::uint64_t value) {
    value = (value ^ (value >> 33)) * 0xff51afd7ed558ccdULL;
    value = (value ^ (value >> 33)) * 0xc4ceb9fe1a85ec53ULL;
    return value ^ (value >> 33);
}

constexpr std::string_view kHex = "0123456789abcdef";

void append_quoted(std::string& out, std::string_view text, unsigned char escape_from) {
    out.push_back('"');
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out.push_back('\\');
            out.push_back(c);
        } else if (octet < 0x20 || octet >= escape_from) {
            out.append("\\u00");
            out.push_back(kHex[octet >> 4]);
            out.push_back(kHex[octet & 15]);
        } else {
            out.push_back(c);
        }
    }
    out.push_back('"');
}

} // namespace

std::uint64_t hash_of(std::string_view text, std::uint64_t seed) {
    std::uint64_t hash = 0xcbf29ce484222325ULL ^ seed;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    return mix(hash);
}

std::string hex_of(std::uint64_t value) {
    std::string digits(16, '0');
    for (std::size_t i = 16; i-- > 0; value >>= 4) digits[i] = kHex[value & 15];
    return digits;
}

void append_words(std::string& out, std::uint64_t seed, std::uint64_t from, std::uint64_t size) {
    // Shifted by one, so that every word but the first brings its space along.
    std::uint64_t at = from + 1;
    const std::uint64_t end = at + size;
    while (at < end) {
        const std::uint64_t offset = at % 8;
        if (offset == 0) {
            out.push_back(' ');
            ++at;
            continue;
        }
        const std::uint64_t length = std::min<std::uint64_t>(8 - offset, end - at);
        out.append(kWords[mix(seed + at / 8) % kWords.size()].substr(offset - 1, length));
        at += length;
    }
}

void append_json_string(std::string& out, std::string_view text) {
    append_quoted(out, text, 0xFF); // 0xFF occurs in no UTF-8 text
}

void append_json_octets(std::string& out, std::string_view octets) {
    append_quoted(out, octets, 0x7F);
}

std::string base64_of(std::string_view octets) {
    constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    out.reserve((octets.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < octets.size(); i += 3) {
        const std::size_t left = std::min<std::size_t>(3, octets.size() - i);
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            group = (group << 8) | (k < left ? static_cast<unsigned char>(octets[i + k]) : 0U);
        }
        out.push_back(kAlphabet[(group >> 18) & 63]);
        out.push_back(kAlphabet[(group >> 12) & 63]);
        out.push_back(left > 1 ? kAlphabet[(group >> 6) & 63] : '=');
        out.push_back(left > 2 ? kAlphabet[group & 63] : '=');
    }
    return out;
}

} // namespace tollgate::mock
