#include "gateway/net/listener.hpp"

#include "gateway/base/log.hpp"
#include "gateway/base/time.hpp"
#include "gateway/net/address.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>

#include <exception>
#include <utility>

namespace tollgate::net {
namespace {

using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;
using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

constexpr auto kBackOff = std::chrono::milliseconds(100); // B19: an exhausted accept completes at once, forever
constexpr auto kWarnEvery = std::chrono::seconds(10);
constexpr int kBacklog = 4096;

std::expected<void, std::string> bind_to(Acceptor& acceptor, const std::string& host, std::uint16_t port, bool shared) {
    ErrorCode error;
    const auto address = asio::ip::make_address(host, error);
    if (error) return std::unexpected(host + " is not an address");
    const asio::ip::tcp::endpoint endpoint(address, port);
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(Acceptor::reuse_address(true), error);
    if (!error && shared) acceptor.set_option(ReusePort(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(kBacklog, error);
    if (error) return std::unexpected("cannot listen on " + host + ":" + std::to_string(port) + ": " + error.message());
    return {};
}

} // namespace

struct Listener::State {
    State(asio::io_context& io, OnAccept handler) : acceptor(io), timer(io), on_accept(std::move(handler)) {}
    Acceptor acceptor;
    SteadyTimer timer;
    OnAccept on_accept;
    std::function<void()> make_room;
    TimePoint warned{};
    bool closed = false;

    // Ten times a second for as long as it lasts would fill the disk.
    void warn(const ErrorCode& error) {
        const TimePoint now = Clock::now();
        if (now - warned < kWarnEvery) return;
        warned = now;
        log::warning("accepting connections failed; it is tried again ten times a second",
                     {{"error", error.message()}});
    }
};

std::expected<void, std::string> probe_endpoint(const std::string& host, std::uint16_t port) {
    asio::io_context io(1);
    Acceptor acceptor(io);
    return bind_to(acceptor, host, port, false);
}

Listener::Listener(asio::io_context& io, OnAccept on_accept)
    : io_(io), state_(std::make_shared<State>(io, std::move(on_accept))) {}

std::expected<void, std::string> Listener::open(const std::string& host, std::uint16_t port, bool shared) {
    return bind_to(state_->acceptor, host, port, shared);
}

void Listener::on_exhausted(std::function<void()> make_room) {
    state_->make_room = std::move(make_room);
}

void Listener::start() {
    asio::co_spawn(io_, accept_loop(state_), asio::detached);
}

void Listener::close() {
    ErrorCode ignored;
    state_->closed = true;
    // The kernel has completed connections that nobody accepted yet; closing over them would reset their clients.
    state_->acceptor.non_blocking(true, ignored);
    while (state_->acceptor.is_open()) {
        ErrorCode error;
        asio::ip::tcp::endpoint peer;
        TcpSocket socket(io_);
        state_->acceptor.accept(socket, peer, error);
        if (error) break;
        state_->on_accept(std::move(socket), to_text(peer.address()));
    }
    state_->acceptor.close(ignored);
    state_->timer.cancel();
}

// Whatever an exception ends, it is one connection: who does not accept any more is dead to everybody.
Task<void> Listener::accept_loop(std::shared_ptr<State> state) {
    bool failed = false;
    while (!state->closed) {
        try {
            co_await accept_next(*state, std::exchange(failed, false));
        } catch (const std::exception&) {
            failed = true;
        }
    }
}

Task<void> Listener::accept_next(State& state, bool failed) {
    TcpSocket socket(state.acceptor.get_executor());
    asio::ip::tcp::endpoint peer;
    ErrorCode error = failed ? asio::error::no_memory : ErrorCode();
    if (!failed) co_await state.acceptor.async_accept(socket, peer, asio::redirect_error_t<UseTask>(UseTask{}, error));
    if (!error) { // close() may have come after it was accepted: its client was told that it is connected
        state.on_accept(std::move(socket), to_text(peer.address()));
        co_return;
    }
    if (state.closed || error == asio::error::connection_aborted) co_return;
    state.warn(error);
    if (state.make_room) state.make_room();
    state.timer.expires_after(kBackOff);
    co_await state.timer.async_wait(asio::redirect_error_t<UseTask>(UseTask{}, error));
}

} // namespace tollgate::net
