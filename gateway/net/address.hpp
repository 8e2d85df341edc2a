// Which resolved addresses we may connect to (reliability §5.3, R15, R16). Decided on the address, never on text.
#pragma once

#include "config/address.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::net {

namespace asio = boost::asio;

using OwnListeners = std::vector<asio::ip::tcp::endpoint>;

// Where the connections of one provider may go.
struct Permission {
    bool private_ranges = false;               // `private: true`
    std::vector<config::AddressRange> cidr{};  // not empty: nowhere else
    std::shared_ptr<const OwnListeners> own{}; // a connection to one of them would be a loop; null: none
};

enum class Verdict : std::uint8_t { allowed, metadata, not_private, outside_cidr, own_listener };
[[nodiscard]] std::string_view to_string(Verdict verdict) noexcept;

[[nodiscard]] config::Address to_config(const asio::ip::address& address) noexcept;

// Without the zone of a link-local address (RFC 4007 §11), which names an interface of ours and no part of the peer.
[[nodiscard]] std::string to_text(const asio::ip::address& address);

// Whether packets to the address stay on this machine. Asks the kernel's routing table; nothing is sent.
[[nodiscard]] bool is_local_address(const asio::ip::address& address) noexcept;

// Metadata services are refused always, our own listeners too; what is not public needs the permission. `is_local`
// decides for listeners on every interface, and is asked only where the port is theirs.
[[nodiscard]] Verdict judge(const asio::ip::tcp::endpoint& to, const Permission& permission,
                            bool (*is_local)(const asio::ip::address&) noexcept = is_local_address);

} // namespace tollgate::net
