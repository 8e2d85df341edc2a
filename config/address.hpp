// Literal IP addresses and the ranges an upstream may not have (R16). Pure; names are not resolved here.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tollgate::config {

struct Address {
    std::array<std::uint8_t, 16> bytes{}; // IPv4 is held as ::ffff:a.b.c.d
    bool v6 = false;                      // how it was written

    friend bool operator==(const Address& a, const Address& b) noexcept { return a.bytes == b.bytes; }
};

// Strict: dotted quad without leading zeros, or RFC 4291 text without brackets and zone.
[[nodiscard]] std::optional<Address> parse_address(std::string_view text);

// What a resolver would take for an IPv4 address although it is not written as one: 127.1, 0x7f000001, 2130706433.
[[nodiscard]] bool disguised_address(std::string_view host) noexcept;

struct AddressRange {
    Address base;
    unsigned bits = 128; // of the 16 octets: an IPv4 /8 is 104
};

// "10.0.0.0/8", "fd00::/8", or one address. Host bits must be zero: `10.0.0.1/8` is a slip, not a range.
[[nodiscard]] std::optional<AddressRange> parse_range(std::string_view text);
[[nodiscard]] bool contains(const AddressRange& range, const Address& address) noexcept;

[[nodiscard]] bool is_loopback(const Address& address) noexcept;
[[nodiscard]] bool is_unspecified(const Address& address) noexcept;
// Loopback, private, link-local, multicast and reserved ranges, also inside IPv6 forms that embed IPv4.
[[nodiscard]] bool is_private(const Address& address) noexcept;
// Cloud metadata services: never an upstream, even with `private: true`.
[[nodiscard]] bool is_metadata(const Address& address) noexcept;
[[nodiscard]] bool is_metadata_name(std::string_view host) noexcept;

} // namespace tollgate::config
