#include "tests/unit/net/loopback.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <stdexcept>

namespace tollgate::test {
namespace {

constexpr std::size_t kMaxFill = 64;

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int bound_socket(std::uint16_t& port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (fd < 0 || ::bind(fd, std::bit_cast<const sockaddr*>(&address), size) != 0 ||
        ::getsockname(fd, std::bit_cast<sockaddr*>(&address), &size) != 0)
        throw std::runtime_error("no port on the loopback interface");
    port = ntohs(address.sin_port);
    return fd;
}

// True if the connection was established within a moment.
bool connects(int fd, std::uint16_t port) {
    const sockaddr_in address = loopback(port);
    if (::connect(fd, std::bit_cast<const sockaddr*>(&address), sizeof address) == 0) return true;
    pollfd waiting{fd, POLLOUT, 0};
    return ::poll(&waiting, 1, 300) == 1;
}

} // namespace

LoopbackListener::LoopbackListener(Loop& loop)
    : loop_(loop), acceptor_(loop.io, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {}

Task<net::ChannelPtr> LoopbackListener::accept(std::shared_ptr<asio::ssl::context> tls) {
    net::TcpSocket socket(loop_.io);
    co_await acceptor_.async_accept(socket, UseTask{});
    if (!tls) co_return std::make_shared<net::Channel>(net::make_tcp(std::move(socket)), loop_.blocks, loop_.deadlines);
    net::Abortable* running = nullptr;
    auto handshake = co_await net::tls_accept(std::move(socket), std::move(tls), &running);
    if (!handshake.transport) co_return nullptr;
    co_return std::make_shared<net::Channel>(std::move(handshake.transport), loop_.blocks, loop_.deadlines);
}

FullListener::FullListener() : listener_(bound_socket(port_)) {
    ::listen(listener_, 0);
    for (std::size_t i = 0; i < kMaxFill; ++i) {
        clients_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!connects(clients_.back(), port_)) return;
    }
    throw std::runtime_error("the accept queue never fills");
}

FullListener::~FullListener() {
    for (const int client : clients_) ::close(client);
    ::close(listener_);
}

SilentPort::SilentPort() : socket_(bound_socket(port_)) {}

SilentPort::~SilentPort() {
    ::close(socket_);
}

Task<std::uint64_t> echo(net::ChannelPtr channel) {
    std::uint64_t total = 0;
    while (co_await channel->more()) {
        const std::string octets(channel->data());
        channel->consume(octets.size());
        net::Gather pieces;
        pieces.add(octets);
        if (!co_await channel->write(pieces)) break;
        total += octets.size();
    }
    co_return total;
}

Task<std::string> read_exactly(net::ChannelPtr channel, std::size_t n) {
    std::string out;
    while (out.size() < n) {
        const auto piece = channel->data().substr(0, n - out.size());
        out += piece;
        channel->consume(piece.size());
        if (out.size() < n && channel->data().empty() && !co_await channel->more()) break;
    }
    co_return out;
}

} // namespace tollgate::test
