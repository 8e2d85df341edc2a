#include "gateway/net/listener.hpp"

#include "tests/support/run_coro.hpp"
#include "tests/unit/net/loopback.hpp"

#include <boost/asio/post.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace tollgate::net {
namespace {

using namespace std::chrono_literals;
using test::run_until;

struct Accepted {
    std::vector<std::string> peers;
    std::vector<TcpSocket> sockets;
    Listener::OnAccept handler() {
        return [this](TcpSocket socket, std::string peer) {
            peers.push_back(std::move(peer));
            sockets.push_back(std::move(socket));
        };
    }
};

// A port that was free a moment ago.
std::uint16_t free_port() {
    return test::SilentPort().port();
}

class ListenerTest : public testing::Test {
  protected:
    bool connects() {
        Dial dial(loop_.io, loop_.blocks, loop_.deadlines, loop_.resolver);
        const Target to{"127.0.0.1", port_, {.private_ranges = true}, nullptr};
        const ChannelPtr channel = test::run_coro(loop_.io, dial.run(to, Clock::now() + 10s));
        if (channel) kept_.push_back(channel);
        return channel != nullptr;
    }
    ~ListenerTest() override {
        kept_.clear();
        test::settle(loop_.io);
    }
    test::Loop loop_;
    const std::uint16_t port_ = free_port();
    std::vector<ChannelPtr> kept_;
};

TEST_F(ListenerTest, connection_isHandedOverWithItsAddress) {
    Accepted accepted;
    Listener listener(loop_.io, accepted.handler());
    const auto opened = listener.open("127.0.0.1", port_, false);
    ASSERT_TRUE(opened) << opened.error();
    listener.start();
    for (std::size_t n = 1; n <= 3; ++n) {
        ASSERT_TRUE(connects());
        run_until(loop_.io, [&] { return accepted.peers.size() == n; });
    }
    EXPECT_THAT(accepted.peers, testing::Each("127.0.0.1"));
    listener.close();
    test::settle(loop_.io);
    EXPECT_FALSE(connects());
}

TEST_F(ListenerTest, sharedPort_takesSeveralListenersOfThisProcess) {
    Accepted accepted;
    Listener one(loop_.io, accepted.handler());
    Listener two(loop_.io, accepted.handler());
    ASSERT_TRUE(one.open("127.0.0.1", port_, true));
    ASSERT_TRUE(two.open("127.0.0.1", port_, true));
    Listener alone(loop_.io, accepted.handler());
    EXPECT_FALSE(alone.open("127.0.0.1", port_, false));
}

// A socket that was accepted already, but not handed over yet, when close() comes.
TEST_F(ListenerTest, close_losesNobodyWhoIsConnected) {
    Accepted accepted;
    std::unique_ptr<Listener> listener;
    listener = std::make_unique<Listener>(loop_.io, [&](TcpSocket socket, std::string peer) {
        // Runs before the completion of the next accept, which succeeds at once.
        if (accepted.peers.empty()) asio::post(loop_.io, [&] { listener->close(); });
        accepted.handler()(std::move(socket), std::move(peer));
    });
    ASSERT_TRUE(listener->open("127.0.0.1", port_, false));
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(connects()); // the kernel accepts them
    listener->start();
    test::settle(loop_.io);
    EXPECT_EQ(accepted.peers.size(), 3U);
}

// SO_REUSEPORT alone would share the port with another process in silence.
TEST_F(ListenerTest, probe_noticesWhoeverListensThere) {
    Accepted accepted;
    EXPECT_TRUE(probe_endpoint("127.0.0.1", port_));
    Listener listener(loop_.io, accepted.handler());
    ASSERT_TRUE(listener.open("127.0.0.1", port_, true));
    const auto taken = probe_endpoint("127.0.0.1", port_);
    ASSERT_FALSE(taken);
    EXPECT_THAT(taken.error(), testing::HasSubstr(std::to_string(port_)));
}

TEST_F(ListenerTest, name_isNoAddress) {
    Accepted accepted;
    Listener listener(loop_.io, accepted.handler());
    const auto opened = listener.open("localhost", port_, false);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error(), "localhost is not an address");
}

} // namespace
} // namespace tollgate::net
