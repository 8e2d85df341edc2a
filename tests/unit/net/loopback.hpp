// Real sockets on the loopback interface, for what a fake cannot show.
#pragma once

#include "gateway/net/channel.hpp"
#include "gateway/net/dial.hpp"
#include "gateway/net/resolver.hpp"
#include "gateway/net/transport.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tollgate::test {

// What a worker has. The resolver is declared last: its threads end before the loop goes.
struct Loop {
    asio::io_context io{1};
    net::BlockPool blocks;
    DeadlineList deadlines;
    net::Resolver resolver;
};

// Listens on 127.0.0.1, any free port.
class LoopbackListener {
  public:
    explicit LoopbackListener(Loop& loop);
    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    // The next connection, after a TLS handshake if a context is given; null if that failed.
    Task<net::ChannelPtr> accept(std::shared_ptr<asio::ssl::context> tls = nullptr);

  private:
    Loop& loop_;
    asio::basic_socket_acceptor<asio::ip::tcp, Executor> acceptor_;
};

// A port whose accept queue is full: a further connect stays in SYN_SENT.
class FullListener {
  public:
    FullListener();
    ~FullListener();
    FullListener(const FullListener&) = delete;
    FullListener& operator=(const FullListener&) = delete;
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

  private:
    std::uint16_t port_ = 0; // filled in while listener_ is made
    int listener_ = -1;
    std::vector<int> clients_;
};

// A port that is taken but does not listen: connecting is refused, and nobody else can get it meanwhile.
class SilentPort {
  public:
    SilentPort();
    ~SilentPort();
    SilentPort(const SilentPort&) = delete;
    SilentPort& operator=(const SilentPort&) = delete;
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

  private:
    std::uint16_t port_ = 0; // filled in while socket_ is made
    int socket_ = -1;
};

// Reads until the peer's end and sends everything back.
Task<std::uint64_t> echo(net::ChannelPtr channel);
// Reads exactly n octets; fewer if the peer ends.
Task<std::string> read_exactly(net::ChannelPtr channel, std::size_t n);

} // namespace tollgate::test
