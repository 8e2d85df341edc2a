#include "gateway/net/transport.hpp"

#include "gateway/net/tls.hpp"
#include "tests/support/run_coro.hpp"
#include "tests/unit/net/identities.hpp"
#include "tests/unit/net/loopback.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <string>

namespace tollgate::net {
namespace {

using namespace std::chrono_literals;
using test::run_coro;
using test::settle;
using test::start_coro;

enum class Kind { tcp, tls };

// A connected pair of channels over real sockets.
class TransportTest : public testing::TestWithParam<Kind> {
  protected:
    TransportTest() {
        Target to{"localhost", listener_.port(), {.private_ranges = true}, nullptr};
        TlsContext server;
        if (GetParam() == Kind::tls) {
            server = server_context(identity_.cert_file(), identity_.key_file()).value();
            to.tls = client_context(identity_.cert_file()).value();
        }
        auto accepted = start_coro(loop_.io, listener_.accept(server));
        Dial dial(loop_.io, loop_.blocks, loop_.deadlines, loop_.resolver);
        client_ = run_coro(loop_.io, dial.run(to, Clock::now() + 10s));
        server_ = accepted.get();
    }
    ~TransportTest() override {
        for (const ChannelPtr& channel : {client_, server_})
            if (channel) channel->close();
        client_.reset();
        server_.reset();
        settle(loop_.io);
    }

    static std::string octets(std::size_t n) {
        std::string out(n, '\0');
        for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<char>((i * 31 + i / 251) & 0xFF);
        return out;
    }

    test::Loop loop_;
    const test::Identity identity_{"DNS:localhost"};
    test::LoopbackListener listener_{loop_};
    ChannelPtr client_, server_;
};

// Both directions at once on one connection: a read and a write outstanding together, on both sides.
TEST_P(TransportTest, oneMebibyte_comesBackUnchanged) {
    ASSERT_TRUE(client_ && server_);
    const std::string sent = octets(1 << 20);
    auto echoing = start_coro(loop_.io, test::echo(server_));
    auto reading = start_coro(loop_.io, test::read_exactly(client_, sent.size()));
    Gather pieces;
    pieces.add(std::string_view(sent).substr(0, 100)); // a head, then a body: gathered into one record
    pieces.add(std::string_view(sent).substr(100));
    auto writing = start_coro(loop_.io, client_->write(pieces));
    EXPECT_TRUE(writing.get());
    const std::string got = reading.get();
    ASSERT_EQ(got.size(), sent.size());
    EXPECT_TRUE(got == sent) << "first difference at " << std::ranges::mismatch(got, sent).in1 - got.begin();
    client_->close();
    EXPECT_EQ(echoing.get(), sent.size());
    EXPECT_EQ(client_->bytes_written, sent.size());
    EXPECT_EQ(client_->bytes_read, sent.size());
}

TEST_P(TransportTest, manySmallPieces_keepTheirOrder) {
    ASSERT_TRUE(client_ && server_);
    std::string expected;
    for (int i = 0; i < 200; ++i) {
        const std::string a = octets(static_cast<std::size_t>(i));
        const std::string b = octets(17'000 - static_cast<std::size_t>(i));
        expected += a + b + "x";
        Gather pieces;
        pieces.add(a);
        pieces.add(b);
        pieces.add("x");
        auto writing = start_coro(loop_.io, client_->write(pieces));
        EXPECT_EQ(run_coro(loop_.io, test::read_exactly(server_, 17'001)).size(), 17'001U) << i;
        ASSERT_TRUE(writing.get()) << i;
    }
    EXPECT_EQ(server_->bytes_read, expected.size());
}

TEST_P(TransportTest, shutdownSend_letsThePeerReadAndAnswer) {
    ASSERT_TRUE(client_ && server_);
    Gather pieces;
    pieces.add("last words");
    ASSERT_TRUE(run_coro(loop_.io, client_->write(pieces)));
    client_->shutdown_send();
    EXPECT_EQ(run_coro(loop_.io, test::read_exactly(server_, 100)), "last words");
    EXPECT_NE(server_->gone(), Gone::no);
    Gather answer;
    answer.add("answer");
    EXPECT_TRUE(run_coro(loop_.io, server_->write(answer)));
    EXPECT_EQ(run_coro(loop_.io, test::read_exactly(client_, 6)), "answer");
}

TEST_P(TransportTest, closeWithReadAndWriteOutstanding_endsBoth) {
    ASSERT_TRUE(client_ && server_);
    const std::string large = octets(32 << 20); // more than the kernel buffers: the server does not read
    Gather pieces;
    pieces.add(large);
    auto writing = start_coro(loop_.io, client_->write(pieces));
    auto reading = start_coro(loop_.io, client_->more());
    settle(loop_.io);
    EXPECT_FALSE(writing.done() || reading.done());
    client_->close();
    EXPECT_FALSE(writing.get());
    EXPECT_FALSE(reading.get());
    EXPECT_EQ(client_->gone(), Gone::failed);
}

TEST_P(TransportTest, peerThatCloses_isSeenByTheWatcher) {
    ASSERT_TRUE(client_ && server_);
    struct Watcher final : PeerWatcher {
        void on_peer_gone() override { told = true; }
        bool told = false;
    } watcher;
    client_->watch(&watcher);
    settle(loop_.io);
    EXPECT_FALSE(watcher.told);
    server_->close();
    test::run_until(loop_.io, [&] { return watcher.told; });
    EXPECT_NE(client_->gone(), Gone::no);
}

INSTANTIATE_TEST_SUITE_P(Kinds, TransportTest, testing::Values(Kind::tcp, Kind::tls),
                         [](const auto& parameter) { return parameter.param == Kind::tcp ? "tcp" : "tls"; });

} // namespace
} // namespace tollgate::net
