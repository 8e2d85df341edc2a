// Literal IP addresses and the ranges an upstream may not have (R16). Pure; names are not resolved here.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
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

enum class Reach : std::uint8_t { open, restricted, forbidden };

// restricted: needs `private: true`; forbidden: metadata services, always. IPv4 inside IPv6 is judged as IPv4.
[[nodiscard]] Reach reach_of(const Address& address) noexcept;

struct AddressRange {
    Address first;
    unsigned bits = 0; // of the 128 of Address; an IPv4 prefix counts 96 more than it was written with

    friend bool operator==(const AddressRange&, const AddressRange&) noexcept = default;
};

// 10.1.0.0/16, fd12:3456::/32, or one address. Error: a hint. Octets beyond the prefix must be zero: 10.1.2.3/16 is a
// slip.
[[nodiscard]] std::expected<AddressRange, std::string> parse_range(std::string_view text);
[[nodiscard]] bool contains(const AddressRange& range, const Address& address) noexcept;

[[nodiscard]] bool is_loopback(const Address& address) noexcept;
[[nodiscard]] bool is_unspecified(const Address& address) noexcept;
// Names of cloud metadata services: never an upstream, whatever they resolve to.
[[nodiscard]] bool is_metadata_name(std::string_view host) noexcept;

} // namespace tollgate::config
