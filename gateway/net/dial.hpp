// resolve → check every address → connect (next address on failure) → TLS with SNI and verification → Channel.
#pragma once

#include "gateway/net/address.hpp"
#include "gateway/net/channel.hpp"
#include "gateway/net/resolver.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace tollgate::net {

struct Target {
    std::string host;
    std::uint16_t port = 0;
    Permission permission{};
    std::shared_ptr<asio::ssl::context> tls{}; // null: clear text
};

enum class DialFailure : std::uint8_t { none, resolve, refused_address, connect, tls, timeout, aborted, descriptors };
[[nodiscard]] std::string_view to_string(DialFailure failure) noexcept;

struct DialTimes {
    Duration dns{}, tcp{}, tls{};
};

// One attempt to connect. Lives in the frame of the coroutine that awaits run(); abort() may come from anywhere on the
// same thread while it runs.
class Dial final : public Deadline, public Abortable {
  public:
    Dial(asio::io_context& io, BlockPool& pool, DeadlineList& deadlines, Resolver& resolver)
        : Deadline(deadlines), io_(io), pool_(pool), deadlines_(deadlines), resolver_(resolver) {}

    // Null on failure; see failure(). The whole dial ends by `deadline`.
    Task<ChannelPtr> run(const Target& target, TimePoint deadline);
    [[nodiscard]] DialFailure failure() const noexcept { return failure_; }
    // The system's or OpenSSL's words for the failure, for the operator's log; empty if there are none.
    [[nodiscard]] const std::string& detail() const noexcept { return detail_; }
    [[nodiscard]] const DialTimes& times() const noexcept { return times_; }
    void abort() noexcept override;

  private:
    void on_expired() override;
    void stop() noexcept;
    Task<bool> connect(TcpSocket& socket, const Target& target, const Addresses& addresses);
    ChannelPtr fail(DialFailure failure);

    asio::io_context& io_;
    BlockPool& pool_;
    DeadlineList& deadlines_;
    Resolver& resolver_;
    TcpSocket* socket_ = nullptr;
    Abortable* step_ = nullptr; // a look-up or a handshake that runs
    DialFailure failure_ = DialFailure::none;
    DialTimes times_;
    std::string detail_;
};

} // namespace tollgate::net
