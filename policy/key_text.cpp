#include "policy/key_text.hpp"

#include "gateway/base/crypto.hpp"
#include "policy/directory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

namespace tollgate::policy {
namespace {

constexpr std::string_view kPrefix = "tg_";
constexpr std::size_t kPublicId = 8;
constexpr std::size_t kSecret = 32;
constexpr std::size_t kChecksum = 6; // 62^6 > 2^32
constexpr std::size_t kHead = kPrefix.size() + kPublicId + 1;
constexpr std::string_view kBase62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

constexpr std::array<std::uint32_t, 256> crc_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) value = (value & 1) != 0 ? 0xEDB88320U ^ (value >> 1) : value >> 1;
        table[i] = value;
    }
    return table;
}

// CRC-32 as in ISO-HDLC and zip: chosen because every scripting language has it.
std::uint32_t crc32(std::string_view text) noexcept {
    static constexpr std::array<std::uint32_t, 256> kTable = crc_table();
    std::uint32_t crc = 0xFFFFFFFFU;
    for (const char c : text) crc = kTable[(crc ^ static_cast<unsigned char>(c)) & 0xFFU] ^ (crc >> 8);
    return ~crc;
}

std::array<char, kChecksum> checksum(std::string_view text) noexcept {
    std::array<char, kChecksum> digits{};
    std::uint32_t value = crc32(text);
    for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, value /= 62) *digit = kBase62[value % 62];
    return digits;
}

constexpr bool is_base62(char c) noexcept {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// Octets of 248 and above are thrown away: 248 = 4·62, so the rest is unbiased.
std::string random_base62(std::size_t length) {
    std::string out;
    out.reserve(length);
    std::array<std::uint8_t, 64> octets{};
    while (out.size() < length) {
        crypto::random_bytes(octets);
        for (const std::uint8_t octet : octets) {
            if (octet < 248 && out.size() < length) out += kBase62[octet % 62];
        }
    }
    return out;
}

bool starts_like_generated(std::string_view text) noexcept {
    return text.size() >= kHead && text.starts_with(kPrefix) && text[kHead - 1] == '_' &&
           std::ranges::all_of(text.substr(kPrefix.size(), kPublicId), is_base62);
}

// People paste the provider's key where ours belongs; telling them costs nothing and shows nothing.
std::string_view lookalike_hint(std::string_view text) noexcept {
    if (text.starts_with("sk-ant-")) return " It looks like an Anthropic key (sk-ant-…).";
    if (text.starts_with("sk-")) return " It looks like an OpenAI key (sk-…).";
    if (text.starts_with("AIza")) return " It looks like a Google key (AIza…).";
    return {};
}

Error unauthenticated(std::string message, std::string_view code) {
    Error error;
    error.type = ErrorType::caller_unauthenticated;
    error.status = 401;
    error.message = std::move(message);
    error.openai_type = "invalid_request_error";
    error.code = code;
    error.retry = Retry::never;
    return error;
}

std::string quoted_part(std::string_view presented) {
    const std::string_view part = shown_part(presented);
    return part.empty() ? std::string() : fmt::format(" \"{}_…\"", part);
}

} // namespace

bool hashable_key(std::string_view text) noexcept {
    return !text.empty() && text.size() <= kMaxKeyLength &&
           std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F; });
}

std::string_view shown_part(std::string_view text) noexcept {
    return starts_like_generated(text) ? text.substr(0, kHead - 1) : std::string_view();
}

bool plausible_key(std::string_view presented) noexcept {
    if (!starts_like_generated(presented)) return true;
    if (presented.size() != kHead + kSecret + kChecksum) return false;
    return std::ranges::equal(checksum(presented.substr(0, kHead + kSecret)), presented.substr(kHead + kSecret));
}

GeneratedKey generate_key() {
    const std::string public_id = random_base62(kPublicId);
    GeneratedKey key;
    key.id = "k_" + public_id;
    key.secret.reserve(kHead + kSecret + kChecksum); // no reallocation leaves a copy behind
    key.secret.append(kPrefix).append(public_id).append("_").append(random_base62(kSecret));
    const auto digits = checksum(key.secret);
    key.secret.append(digits.data(), digits.size());
    return key;
}

std::string sha256_hex(std::string_view secret) {
    return crypto::to_hex(crypto::sha256(secret));
}

Error no_key_error() {
    return unauthenticated("You did not provide an API key. Send your gateway key as \"Authorization: Bearer <key>\", "
                           "or in x-api-key, api-key or x-goog-api-key.",
                           {});
}

Error unreadable_key_error() {
    return unauthenticated(
        fmt::format("Incorrect API key provided: a key has at most {} characters, all of them visible ASCII.",
                    kMaxKeyLength),
        "invalid_api_key");
}

Error mistyped_key_error(std::string_view presented) {
    return unauthenticated(fmt::format("Incorrect API key provided:{} has a typo or is incomplete, its checksum does "
                                       "not match. Copy the whole key again.",
                                       quoted_part(presented)),
                           "invalid_api_key");
}

Error invalid_key_error(std::string_view presented) {
    return unauthenticated(fmt::format("Incorrect API key provided: the key{} is unknown, disabled or expired.{} This "
                                       "gateway needs a key of its own; ask whoever runs it.",
                                       quoted_part(presented), lookalike_hint(presented)),
                           "invalid_api_key");
}

} // namespace tollgate::policy
