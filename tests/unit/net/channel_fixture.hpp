// A channel to a fake peer, and the worker's tick in the test's hand.
#pragma once

#include "gateway/net/channel.hpp"
#include "tests/support/fake_transport.hpp"
#include "tests/support/run_coro.hpp"

#include <gtest/gtest.h>

namespace tollgate::net {

class CountingWatcher final : public PeerWatcher {
  public:
    void on_peer_gone() override { ++told; }
    int told = 0;
};

class ChannelTest : public testing::Test {
  protected:
    Channel& channel() { return *connection_.channel; }
    test::FakePeer& peer() { return *connection_.peer; }
    asio::io_context& io() { return connection_.io; }
    // As the worker's tick does, `after` from now.
    void tick(Duration after) {
        connection_.deadlines.tick(connection_.deadlines.now() + after);
        test::settle(io());
    }
    TimePoint in(Duration after) { return channel().now() + after; }

    test::FakeConnection connection_;
};

} // namespace tollgate::net
