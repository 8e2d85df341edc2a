// A connection without a kernel: the test plays the peer, octet for octet.
#pragma once

#include "gateway/net/channel.hpp"
#include "gateway/net/transport.hpp"

#include <cstddef>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::test {

// The far end. Shared by the test and the transport, so it stays readable after the channel is gone.
class FakePeer {
  public:
    explicit FakePeer(asio::io_context& io) : io_(io) {}

    // Each call is one segment: a read never returns octets of two.
    void send(std::string_view octets);
    void send_all(const std::vector<std::string>& segments) {
        for (const std::string& segment : segments) send(segment);
    }
    void end();                      // FIN, after everything sent
    void fail(net::ErrorCode error); // after everything sent
    void accept(std::size_t octets); // room in the kernel's send buffer, from now on limited
    void fail_writes(net::ErrorCode error);

    std::string received;
    std::size_t reads_started = 0;
    bool read_pending = false;
    bool closed = false;
    bool send_shut = false;
    bool discarded = false; // what was not sent yet

  private:
    friend class FakeTransport;
    void deliver();
    void complete(net::ErrorCode error, std::size_t n);
    void close();
    std::size_t take(std::span<const asio::const_buffer> pieces, net::ErrorCode& error);

    asio::io_context& io_;
    std::deque<std::string> segments_;
    std::optional<net::ErrorCode> end_;
    std::optional<net::ErrorCode> write_error_;
    std::size_t room_ = std::numeric_limits<std::size_t>::max();
    asio::mutable_buffer into_;
    std::shared_ptr<net::ReadSink> sink_;
    Wakeup writable_;
};

[[nodiscard]] std::unique_ptr<net::Transport> make_fake_transport(std::shared_ptr<FakePeer> peer);

// What almost every test needs: a loop, its deadlines, and one channel to a fake peer.
struct FakeConnection {
    FakeConnection() : peer(std::make_shared<FakePeer>(io)) {
        channel = std::make_shared<net::Channel>(make_fake_transport(peer), blocks, deadlines);
    }
    ~FakeConnection() {
        channel->close();
        channel.reset();
        io.restart();
        io.poll(); // what was aborted completes before its owner goes
    }
    FakeConnection(const FakeConnection&) = delete;
    FakeConnection& operator=(const FakeConnection&) = delete;

    asio::io_context io{1};
    net::BlockPool blocks;
    DeadlineList deadlines;
    std::shared_ptr<FakePeer> peer;
    net::ChannelPtr channel;
};

} // namespace tollgate::test
