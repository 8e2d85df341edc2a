#include "gateway/net/address.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace tollgate::net {
namespace {

using boost::asio::ip::address_v6;

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

AddressClass classify4(std::uint32_t address) {
    if (std::ranges::find(kMetadata4, address) != kMetadata4.end()) return AddressClass::forbidden;
    const auto inside = [address](const Range4& range) { return ((address ^ range.base) >> (32 - range.bits)) == 0; };
    return std::ranges::any_of(kRestricted4, inside) ? AddressClass::restricted : AddressClass::open;
}

using Bytes6 = address_v6::bytes_type;

std::uint32_t word(const Bytes6& b, std::size_t at) {
    return v4(b[at], b[at + 1], b[at + 2], b[at + 3]);
}

// IPv4 inside IPv6: what it is, and whether the prefix reaches it without further equipment of somebody else's.
struct Embedded {
    std::uint32_t address;
    bool direct;
};

// Mapped and NAT64 (what a DNS64 answers for every public name) are that IPv4 address; 6to4, Teredo (whose client part
// is inverted) and the local NAT64 prefix lead through a relay nobody vouches for.
std::optional<Embedded> embedded4(const Bytes6& b) {
    const auto zero = [&b](std::ptrdiff_t from, std::ptrdiff_t to) {
        return std::all_of(b.begin() + from, b.begin() + to, [](auto x) { return x == 0; });
    };
    const bool mapped = zero(0, 10) && b[10] == 0xFF && b[11] == 0xFF;
    const bool nat64 = b[0] == 0x00 && b[1] == 0x64 && b[2] == 0xFF && b[3] == 0x9B;
    if (mapped || nat64) return Embedded{word(b, 12), mapped || zero(4, 12)};
    if (b[0] == 0x20 && b[1] == 0x02) return Embedded{word(b, 2), false};
    if (b[0] == 0x20 && b[1] == 0x01 && b[2] == 0 && b[3] == 0) return Embedded{~word(b, 12), false};
    return std::nullopt;
}

AddressClass classify6(const address_v6& address) {
    static const Bytes6 kAwsMetadata = boost::asio::ip::make_address_v6("fd00:ec2::254").to_bytes();
    const Bytes6 b = address.to_bytes();
    if (b == kAwsMetadata) return AddressClass::forbidden;
    if (const auto inner = embedded4(b)) {
        const AddressClass kind = classify4(inner->address);
        return inner->direct ? kind : std::max(kind, AddressClass::restricted);
    }
    // Global unicast is 2000::/3 (RFC 4291 §2.4): loopback, unique local, link and site local, multicast lie outside.
    return (b[0] & 0xE0) == 0x20 ? AddressClass::open : AddressClass::restricted;
}

} // namespace

AddressClass classify(const boost::asio::ip::address& address) {
    return address.is_v4() ? classify4(address.to_v4().to_uint()) : classify6(address.to_v6());
}

} // namespace tollgate::net
