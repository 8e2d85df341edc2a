#include "config/address.hpp"

#include "gateway/base/text.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstring>
#include <string>

namespace tollgate::config {
namespace {

using Bytes = std::array<std::uint8_t, 16>;

struct Range {
    std::array<std::uint8_t, 6> start; // leading octets
    unsigned bits;
};

constexpr Range kPrivateV4[] = {
    {{0}, 8},          {{10}, 8},        {{100, 64}, 10}, {{127}, 8}, {{169, 254}, 16}, {{172, 16}, 12},
    {{192, 0, 0}, 24}, {{192, 168}, 16}, {{198, 18}, 15}, {{224}, 4}, {{240}, 4},
};
// 64:ff9b:1::/48 is NAT64 of local use: whoever runs it decides what it reaches (RFC 8215).
constexpr Range kPrivateV6[] = {
    {{0xFC}, 7}, {{0xFE, 0x80}, 10}, {{0xFE, 0xC0}, 10}, {{0xFF}, 8}, {{0x00, 0x64, 0xFF, 0x9B, 0x00, 0x01}, 48},
};

constexpr std::array<std::uint8_t, 4> kMetadataV4[] = {
    {169, 254, 169, 254}, {169, 254, 170, 2}, {169, 254, 170, 23},
    {100, 100, 100, 200}, {192, 0, 0, 192},   {168, 63, 129, 16},
};
constexpr Bytes kMetadataV6 = {0xFD, 0x00, 0x0E, 0xC2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}; // fd00:ec2::254

bool within(const std::uint8_t* address, const Range& range) noexcept {
    for (unsigned bit = 0; bit < range.bits; bit += 8) {
        const unsigned left = range.bits - bit;
        const unsigned mask = left >= 8 ? 0xFFU : (0xFFU << (8 - left)) & 0xFFU;
        if ((address[bit / 8] & mask) != range.start[bit / 8]) return false;
    }
    return true;
}

bool starts(const Bytes& bytes, std::initializer_list<std::uint8_t> prefix) noexcept {
    return std::equal(prefix.begin(), prefix.end(), bytes.begin());
}

using V4 = std::array<std::uint8_t, 4>;

V4 four(const Bytes& bytes, std::size_t from) noexcept {
    return {bytes[from], bytes[from + 1], bytes[from + 2], bytes[from + 3]};
}

// The IPv4 address inside a mapped, NAT64, 6to4 or Teredo address.
std::optional<V4> embedded(const Bytes& bytes) noexcept {
    if (starts(bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF})) return four(bytes, 12);
    if (starts(bytes, {0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0})) return four(bytes, 12);
    if (starts(bytes, {0, 0x64, 0xFF, 0x9B, 0, 1})) return four(bytes, 12);
    if (starts(bytes, {0x20, 0x02})) return four(bytes, 2);
    if (starts(bytes, {0x20, 0x01, 0, 0})) {
        V4 out = four(bytes, 12); // Teredo stores the client's address inverted (RFC 4380 §4)
        for (std::uint8_t& octet : out) octet = static_cast<std::uint8_t>(~octet);
        return out;
    }
    return std::nullopt;
}

constexpr unsigned kAddressBits = 128;
constexpr unsigned kV4Bits = 32;

Bytes masked(const Address& address, unsigned bits) noexcept {
    Bytes out{};
    for (unsigned i = 0; i < out.size() && i * 8 < bits; ++i) {
        const unsigned left = bits - i * 8;
        const unsigned mask = left >= 8 ? 0xFFU : (0xFFU << (8 - left)) & 0xFFU;
        out[i] = static_cast<std::uint8_t>(address.bytes[i] & mask);
    }
    return out;
}

bool all_zero_until_last(const Bytes& bytes, std::uint8_t last) noexcept {
    return std::all_of(bytes.begin(), bytes.end() - 1, [](std::uint8_t b) { return b == 0; }) && bytes[15] == last;
}

} // namespace

std::optional<Address> parse_address(std::string_view text) {
    // Also keeps a NUL from hiding what follows it.
    if (text.size() > 45 || text.find_first_not_of("0123456789abcdefABCDEF.:") != std::string_view::npos) {
        return std::nullopt;
    }
    const std::string terminated(text);
    Address out;
    if (inet_pton(AF_INET6, terminated.c_str(), out.bytes.data()) == 1) {
        out.v6 = true;
        return out;
    }
    V4 quad{};
    if (inet_pton(AF_INET, terminated.c_str(), quad.data()) != 1) return std::nullopt;
    out.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, quad[0], quad[1], quad[2], quad[3]};
    return out;
}

bool disguised_address(std::string_view host) noexcept {
    if (host.ends_with('.')) host.remove_suffix(1);
    const std::string_view last = host.substr(host.rfind('.') + 1);
    if (last.empty()) return false;
    const bool digits = last.find_first_not_of("0123456789") == std::string_view::npos;
    const bool hex = last.starts_with("0x") || last.starts_with("0X");
    return (digits || hex) && !parse_address(host);
}

std::optional<AddressRange> parse_range(std::string_view text) {
    const std::size_t slash = text.find('/');
    const std::optional<Address> base = parse_address(text.substr(0, slash));
    if (!base) return std::nullopt;
    AddressRange out{*base, kAddressBits};
    if (slash == std::string_view::npos) return out;
    const std::string_view digits = text.substr(slash + 1);
    const unsigned width = base->v6 ? kAddressBits : kV4Bits;
    unsigned bits = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    const bool canonical = digits.size() == 1 || (!digits.empty() && digits.front() != '0');
    if (error != std::errc() || end != digits.data() + digits.size() || !canonical || bits > width) return std::nullopt;
    out.bits = kAddressBits - width + bits;
    if (masked(*base, out.bits) != base->bytes) return std::nullopt;
    return out;
}

bool contains(const AddressRange& range, const Address& address) noexcept {
    return masked(address, range.bits) == range.base.bytes;
}

bool is_loopback(const Address& address) noexcept {
    if (all_zero_until_last(address.bytes, 1)) return true;
    const std::optional<V4> inner = embedded(address.bytes);
    return inner && (*inner)[0] == 127;
}

bool is_unspecified(const Address& address) noexcept {
    if (all_zero_until_last(address.bytes, 0)) return true;
    const std::optional<V4> inner = embedded(address.bytes);
    return inner && *inner == V4{};
}

bool is_private(const Address& address) noexcept {
    if (all_zero_until_last(address.bytes, 0) || all_zero_until_last(address.bytes, 1)) return true;
    const auto holds = [](const std::uint8_t* bytes) {
        return [bytes](const Range& range) { return within(bytes, range); };
    };
    const std::optional<V4> inner = embedded(address.bytes);
    if (inner && std::ranges::any_of(kPrivateV4, holds(inner->data()))) return true;
    return std::ranges::any_of(kPrivateV6, holds(address.bytes.data()));
}

bool is_metadata(const Address& address) noexcept {
    if (address.bytes == kMetadataV6) return true;
    const std::optional<V4> inner = embedded(address.bytes);
    return inner && std::ranges::find(kMetadataV4, *inner) != std::end(kMetadataV4);
}

bool is_metadata_name(std::string_view host) noexcept {
    if (host.ends_with('.')) host.remove_suffix(1);
    return iequals(host, "metadata.google.internal") || iequals(host, "metadata");
}

} // namespace tollgate::config
