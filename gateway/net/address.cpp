#include "gateway/net/address.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace tollgate::net {
namespace {

using asio::ip::address;

bool is_v4(const config::Address& at) noexcept {
    static const config::Address kMapped = to_config(asio::ip::address_v4());
    return std::equal(at.bytes.begin(), at.bytes.begin() + 12, kMapped.bytes.begin());
}

// The kernel connects an unspecified address to the loopback one, ::ffff:0.0.0.0 too.
config::Address as_connected(const address& to) noexcept {
    const config::Address written = to_config(to);
    if (written == to_config(asio::ip::address_v4::any())) return to_config(asio::ip::address_v4::loopback());
    if (written == to_config(asio::ip::address_v6::any())) return to_config(asio::ip::address_v6::loopback());
    return written;
}

bool meets(const asio::ip::tcp::endpoint& to, const asio::ip::tcp::endpoint& own,
           bool (*is_local)(const address&) noexcept) {
    if (to.port() != own.port()) return false;
    const config::Address target = as_connected(to.address());
    if (!own.address().is_unspecified()) return target == to_config(own.address());
    // A listener on :: takes IPv4 as well.
    if (own.address().is_v4() && !is_v4(target)) return false;
    return config::is_loopback(target) || is_local(to.address());
}

} // namespace

std::string_view to_string(Verdict verdict) noexcept {
    static constexpr std::array<std::string_view, 5> kWords{
        "allowed", "an address of a metadata service", "a private address, and the provider is not `private: true`",
        "outside the provider's `cidr`", "a listener of this Tollgate"};
    return kWords[static_cast<std::size_t>(verdict)];
}

config::Address to_config(const address& from) noexcept {
    config::Address out;
    out.v6 = from.is_v6();
    out.bytes =
        out.v6 ? from.to_v6().to_bytes() : asio::ip::make_address_v6(asio::ip::v4_mapped, from.to_v4()).to_bytes();
    return out;
}

std::string to_text(const address& of) {
    if (!of.is_v6()) return of.to_string();
    return asio::ip::address_v6(of.to_v6().to_bytes()).to_string();
}

// A connected datagram socket has chosen its source: for an address of this machine, that same address.
bool is_local_address(const address& of) noexcept {
    asio::ip::tcp::endpoint to(of, 9);
    const int probe = ::socket(of.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0) return false;
    asio::ip::tcp::endpoint from;
    auto length = static_cast<socklen_t>(from.capacity());
    const bool known = ::connect(probe, to.data(), static_cast<socklen_t>(to.size())) == 0 &&
                       ::getsockname(probe, from.data(), &length) == 0;
    ::close(probe);
    return known && to_config(from.address()) == to_config(of);
}

Verdict judge(const asio::ip::tcp::endpoint& to, const Permission& permission,
              bool (*is_local)(const address&) noexcept) {
    const config::Address target = as_connected(to.address());
    const config::Reach reach = config::reach_of(target);
    if (reach == config::Reach::forbidden) return Verdict::metadata;
    if (reach == config::Reach::restricted && !permission.private_ranges) return Verdict::not_private;
    const auto holds = [&](const config::AddressRange& range) { return config::contains(range, target); };
    if (!permission.cidr.empty() && std::ranges::none_of(permission.cidr, holds)) return Verdict::outside_cidr;
    const auto is_it = [&](const auto& own) { return meets(to, own, is_local); };
    if (permission.own && std::ranges::any_of(*permission.own, is_it)) return Verdict::own_listener;
    return Verdict::allowed;
}

} // namespace tollgate::net
