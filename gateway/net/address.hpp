// Which resolved addresses we may connect to (reliability §5.3, R15, R16). Pure: decided on the address, never on text.
#pragma once

#include <boost/asio/ip/address.hpp>

#include <cstdint>

namespace tollgate::net {

enum class AddressClass : std::uint8_t { open, restricted, forbidden };

// restricted: needs `private: true`; forbidden: metadata services, always. IPv4 inside IPv6 is judged as IPv4.
[[nodiscard]] AddressClass classify(const boost::asio::ip::address& address);

} // namespace tollgate::net
