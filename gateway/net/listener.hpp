// Accepting: SO_REUSEPORT per worker, back-off when descriptors run out, one call per accepted socket.
#pragma once

#include "gateway/base/task.hpp"
#include "gateway/net/transport.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>

namespace tollgate::net {

using SteadyTimer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

// Fails if another process listens there already: SO_REUSEPORT alone would silently share the port with it.
[[nodiscard]] std::expected<void, std::string> probe_endpoint(const std::string& host, std::uint16_t port);

class Listener {
  public:
    // The socket and the peer's address as text.
    using OnAccept = std::function<void(TcpSocket, std::string)>;

    Listener(asio::io_context& io, OnAccept on_accept);

    // `shared`: several listeners of this process bind the same port.
    [[nodiscard]] std::expected<void, std::string> open(const std::string& host, std::uint16_t port, bool shared);
    // Called each time accepting failed because descriptors or memory ran out: to be closed is what can be spared.
    void on_exhausted(std::function<void()> make_room);
    void start(); // accepts until close()
    void close();

  private:
    struct State;
    static Task<void> accept_loop(std::shared_ptr<State> state);
    static Task<void> accept_next(State& state, bool failed); // `failed`: the one before ended in an exception

    asio::io_context& io_;
    std::shared_ptr<State> state_;
};

} // namespace tollgate::net
