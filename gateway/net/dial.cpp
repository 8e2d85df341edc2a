#include "gateway/net/dial.hpp"

#include <boost/asio/redirect_error.hpp>

#include <array>

namespace tollgate::net {

std::string_view to_string(DialFailure failure) noexcept {
    static constexpr std::array<std::string_view, 8> kWords{"none", "resolve", "refused_address", "connect",
                                                            "tls",  "timeout", "aborted",         "descriptors"};
    return kWords[static_cast<std::size_t>(failure)];
}

void Dial::stop() noexcept {
    if (socket_ != nullptr) {
        ErrorCode ignored;
        socket_->close(ignored);
    }
    if (step_ != nullptr) step_->abort();
}

void Dial::abort() noexcept {
    failure_ = DialFailure::aborted;
    stop();
}

void Dial::on_expired() {
    if (failure_ == DialFailure::none) failure_ = DialFailure::timeout;
    stop();
}

ChannelPtr Dial::fail(DialFailure failure) {
    expire_never();
    if (failure_ == DialFailure::none) failure_ = failure;
    return nullptr;
}

Task<bool> Dial::connect(TcpSocket& socket, const Target& target, const Addresses& addresses) {
    bool any_allowed = false;
    for (const auto& address : addresses) {
        const asio::ip::tcp::endpoint endpoint(address, target.port);
        if (const Verdict verdict = judge(endpoint, target.permission); verdict != Verdict::allowed) {
            detail_ = address.to_string() + " is " + std::string(to_string(verdict));
            continue;
        }
        any_allowed = true;
        ErrorCode error;
        if (socket.is_open()) socket.close(error);
        co_await socket.async_connect(endpoint, asio::redirect_error_t<UseTask>(UseTask{}, error));
        if (!error && failure_ == DialFailure::none) co_return true;
        if (error) detail_ = error.message();
        if (failure_ != DialFailure::none) co_return false;
        if (error == asio::error::no_descriptors) {
            fail(DialFailure::descriptors);
            co_return false;
        }
    }
    fail(any_allowed ? DialFailure::connect : DialFailure::refused_address);
    co_return false;
}

Task<ChannelPtr> Dial::run(const Target& target, TimePoint deadline) {
    expire_at(deadline, "connect");
    if (config::is_metadata_name(target.host)) {
        detail_ = target.host + " is the name of a metadata service";
        co_return fail(DialFailure::refused_address);
    }
    const TimePoint start = Clock::now();
    const auto addresses = co_await resolver_.resolve(target.host, deadline, &step_);
    if (failure_ != DialFailure::none) co_return nullptr;
    if (addresses->empty()) co_return fail(Clock::now() >= deadline ? DialFailure::timeout : DialFailure::resolve);
    const TimePoint resolved = Clock::now();
    times_.dns = resolved - start;

    TcpSocket socket(io_);
    socket_ = &socket;
    const bool connected = co_await connect(socket, target, *addresses);
    socket_ = nullptr;
    if (!connected) co_return nullptr;
    const TimePoint connected_at = Clock::now();
    times_.tcp = connected_at - resolved;

    std::unique_ptr<Transport> transport;
    if (target.tls) {
        auto handshake = co_await tls_connect(std::move(socket), target.tls, target.host, &step_);
        if (handshake.error) detail_ = handshake.error.message();
        if (!handshake.transport || failure_ != DialFailure::none) co_return fail(DialFailure::tls);
        transport = std::move(handshake.transport);
        times_.tls = Clock::now() - connected_at;
    } else {
        transport = make_tcp(std::move(socket));
    }
    expire_never();
    co_return std::make_shared<Channel>(std::move(transport), pool_, deadlines_);
}

} // namespace tollgate::net
