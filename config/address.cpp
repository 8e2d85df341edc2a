#include "config/address.hpp"

#include "gateway/base/text.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <string>

namespace tollgate::config {
namespace {

using Bytes = std::array<std::uint8_t, 16>;

struct Range4 {
    std::uint32_t base;
    unsigned bits;
};

constexpr std::uint32_t v4(unsigned a, unsigned b, unsigned c, unsigned d) {
    return (a << 24) | (b << 16) | (c << 8) | d;
}

constexpr std::array kMetadata4{v4(169, 254, 169, 254), v4(169, 254, 170, 2), v4(169, 254, 170, 23),
                                v4(100, 100, 100, 200), v4(192, 0, 0, 192),   v4(168, 63, 129, 16)};
constexpr std::array kRestricted4{
    Range4{v4(0, 0, 0, 0), 8},    Range4{v4(10, 0, 0, 0), 8},     Range4{v4(100, 64, 0, 0), 10},
    Range4{v4(127, 0, 0, 0), 8},  Range4{v4(169, 254, 0, 0), 16}, Range4{v4(172, 16, 0, 0), 12},
    Range4{v4(192, 0, 0, 0), 24}, Range4{v4(192, 168, 0, 0), 16}, Range4{v4(198, 18, 0, 0), 15},
    Range4{v4(224, 0, 0, 0), 4},  Range4{v4(240, 0, 0, 0), 4}};
constexpr Bytes kMetadata6 = {0xFD, 0x00, 0x0E, 0xC2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}; // fd00:ec2::254

Reach reach_of_v4(std::uint32_t address) noexcept {
    if (std::ranges::find(kMetadata4, address) != kMetadata4.end()) return Reach::forbidden;
    const auto inside = [address](const Range4& range) { return ((address ^ range.base) >> (32 - range.bits)) == 0; };
    return std::ranges::any_of(kRestricted4, inside) ? Reach::restricted : Reach::open;
}

bool starts(const Bytes& bytes, std::initializer_list<std::uint8_t> prefix) noexcept {
    return std::equal(prefix.begin(), prefix.end(), bytes.begin());
}

std::uint32_t word(const Bytes& b, std::size_t at) noexcept {
    return v4(b[at], b[at + 1], b[at + 2], b[at + 3]);
}

bool is_mapped(const Bytes& bytes) noexcept {
    return starts(bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF});
}

// The IPv4 address an IPv6 form stands for, where that alone decides: mapped, and NAT64 (what a DNS64 answers for every
// public name).
std::optional<std::uint32_t> stands_for(const Bytes& bytes) noexcept {
    if (is_mapped(bytes) || starts(bytes, {0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0})) return word(bytes, 12);
    return std::nullopt;
}

// The IPv4 addresses a form may lead to through a relay nobody vouches for. Such a form is never open; it is forbidden
// if one of them is.
std::array<std::uint32_t, 2> may_lead_to(const Bytes& b) noexcept {
    // NAT64 of local use (RFC 8215): at the end, or where RFC 6052 §2.2 puts it behind a prefix of 48 bits.
    if (starts(b, {0, 0x64, 0xFF, 0x9B, 0, 1})) return {word(b, 12), v4(b[6], b[7], b[9], b[10])};
    if (starts(b, {0x20, 0x02})) return {word(b, 2), word(b, 2)};               // 6to4
    if (starts(b, {0x20, 0x01, 0, 0})) return {~word(b, 12), word(b, 4)};       // Teredo: client, server
    if (starts(b, {0, 0, 0, 0, 0, 0, 0, 0})) return {word(b, 12), word(b, 12)}; // compatible, SIIT
    return {};
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
    std::array<std::uint8_t, 4> quad{};
    if (inet_pton(AF_INET, terminated.c_str(), quad.data()) != 1) return std::nullopt;
    out.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, quad[0], quad[1], quad[2], quad[3]};
    return out;
}

bool disguised_address(std::string_view host) noexcept {
    const bool rooted = host.ends_with('.'); // makes even a plain quad a name
    if (rooted) host.remove_suffix(1);
    const std::string_view last = host.substr(host.rfind('.') + 1);
    if (last.empty()) return false;
    const bool digits = last.find_first_not_of("0123456789") == std::string_view::npos;
    const bool hex = last.starts_with("0x") || last.starts_with("0X");
    return (digits || hex) && (rooted || !parse_address(host));
}

Reach reach_of(const Address& address) noexcept {
    const Bytes& b = address.bytes;
    if (b == kMetadata6) return Reach::forbidden;
    if (const auto inner = stands_for(b)) return reach_of_v4(*inner);
    const std::array<std::uint32_t, 2> inner = may_lead_to(b);
    const auto forbidden = [](std::uint32_t word4) { return reach_of_v4(word4) == Reach::forbidden; };
    if (std::ranges::any_of(inner, forbidden)) return Reach::forbidden;
    if (starts(b, {0x20, 0x02}) || starts(b, {0x20, 0x01, 0, 0})) return Reach::restricted;
    // Global unicast is 2000::/3 (RFC 4291 §2.4): loopback, unique local, link and site local, multicast lie outside.
    return (b[0] & 0xE0U) == 0x20U ? Reach::open : Reach::restricted;
}

std::expected<AddressRange, std::string> parse_range(std::string_view text) {
    const std::size_t slash = text.find('/');
    const std::optional<Address> first = parse_address(text.substr(0, slash));
    if (!first) return std::unexpected("the address must be written out, as in 10.1.0.0/16");
    if (slash == std::string_view::npos) return AddressRange{*first, 128};
    const std::optional<std::uint64_t> length = parse_decimal(text.substr(slash + 1));
    if (!length || *length > (first->v6 ? 128U : 32U))
        return std::unexpected(first->v6 ? "the length is not 0 to 128" : "the length is not 0 to 32");
    AddressRange range{*first, static_cast<unsigned>(*length) + (first->v6 ? 0U : 96U)};
    for (unsigned bit = range.bits; bit < 128; ++bit) {
        if ((first->bytes[bit / 8] & (0x80U >> (bit % 8))) != 0)
            return std::unexpected("the address has bits beyond the length");
    }
    return range;
}

bool contains(const AddressRange& range, const Address& address) noexcept {
    const unsigned whole = range.bits / 8;
    if (!std::equal(range.first.bytes.begin(), range.first.bytes.begin() + whole, address.bytes.begin())) return false;
    const unsigned rest = range.bits % 8;
    return rest == 0 || ((range.first.bytes[whole] ^ address.bytes[whole]) >> (8 - rest)) == 0;
}

bool is_loopback(const Address& address) noexcept {
    if (all_zero_until_last(address.bytes, 1)) return true;
    const auto inner = stands_for(address.bytes);
    return inner && *inner >> 24 == 127;
}

bool is_unspecified(const Address& address) noexcept {
    if (all_zero_until_last(address.bytes, 0)) return true;
    return stands_for(address.bytes) == std::optional<std::uint32_t>(0);
}

bool is_metadata_name(std::string_view host) noexcept {
    if (host.ends_with('.')) host.remove_suffix(1);
    return iequals(host, "metadata.google.internal") || iequals(host, "metadata");
}

} // namespace tollgate::config
