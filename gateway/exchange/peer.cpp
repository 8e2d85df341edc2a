#include "gateway/exchange/peer.hpp"

#include "gateway/base/text.hpp"

#include <algorithm>
#include <ranges>

namespace tollgate::exchange {
namespace {

bool is_trusted(const config::Address& address, std::span<const config::AddressRange> trusted) {
    return std::ranges::any_of(trusted, [&](const auto& range) { return config::contains(range, address); });
}

// "192.0.2.1", "192.0.2.1:4711", "2001:db8::1", "[2001:db8::1]:4711" → the address alone.
std::string_view without_port(std::string_view hop) {
    if (hop.starts_with('[')) return hop.substr(1, hop.find(']') == std::string_view::npos ? 0 : hop.find(']') - 1);
    const std::size_t colon = hop.find(':');
    return colon == hop.rfind(':') ? hop.substr(0, colon) : hop;
}

} // namespace

ClientAddress client_address(const Peer& peer, const http::RequestHead& head,
                             std::span<const config::AddressRange> trusted) {
    ClientAddress client{peer.address, peer.parsed.value_or(config::Address{})};
    if (trusted.empty() || !is_trusted(client.address, trusted)) return client;
    for (const http::Field& field : head.fields | std::views::reverse) {
        if (!iequals(field.name, "x-forwarded-for")) continue;
        for (std::string_view rest = field.value;;) {
            const std::size_t comma = rest.rfind(',');
            const std::string_view hop = without_port(trim(rest.substr(comma + 1)));
            const auto address = config::parse_address(hop);
            if (!address) return client;
            client = {hop, *address};
            if (!is_trusted(*address, trusted)) return client;
            if (comma == std::string_view::npos) break;
            rest = rest.substr(0, comma);
        }
    }
    return client;
}

} // namespace tollgate::exchange
