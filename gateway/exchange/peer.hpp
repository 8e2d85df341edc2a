// Who is at the other end of a connection, as the kernel says, and of a request, as a trusted proxy says.
#pragma once

#include "config/address.hpp"
#include "gateway/http/message.hpp"
#include "gateway/net/sources.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tollgate::exchange {

struct Peer {
    explicit Peer(std::string text) : address(std::move(text)), parsed(config::parse_address(address)) {}

    const std::string address;
    const std::optional<config::Address> parsed;
    net::Source passed_source{}; // what was last let through here: asked once, not per request
    std::string passed_key;      // its id
};

struct ClientAddress {
    std::string_view text; // views into the peer or into the head
    config::Address address;
};

// The right-most address of X-Forwarded-For that is no trusted proxy, if the peer is one; else the peer itself. What an
// untrusted peer writes there is ignored (case 254), and so is everything left of the first hop nobody vouches for.
[[nodiscard]] ClientAddress client_address(const Peer& peer, const http::RequestHead& head,
                                           std::span<const config::AddressRange> trusted);

} // namespace tollgate::exchange
