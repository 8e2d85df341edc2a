#include "tests/unit/net/channel_fixture.hpp"

#include <boost/asio/error.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace tollgate::net {
namespace {

using namespace std::chrono_literals;
using test::FakeConnection;
using test::run_coro;
using test::settle;
using test::start_coro;

// --- reading
// ----------------------------------------------------------------------------------------------------------

TEST_F(ChannelTest, more_waitsForFurtherOctets) {
    auto waiting = start_coro(io(), channel().more());
    settle(io());
    EXPECT_FALSE(waiting.done());
    peer().send("hello");
    EXPECT_TRUE(waiting.get());
    EXPECT_EQ(channel().data(), "hello");
    EXPECT_EQ(channel().bytes_read, 5U);
}

TEST_F(ChannelTest, more_atTheEnd_isFalseAndKeepsTheOctets) {
    peer().send("rest");
    peer().end();
    EXPECT_TRUE(run_coro(io(), channel().more()));
    EXPECT_FALSE(run_coro(io(), channel().more()));
    EXPECT_EQ(channel().gone(), Gone::ended);
    EXPECT_EQ(channel().data(), "rest");
    EXPECT_FALSE(run_coro(io(), channel().more())) << "again, without another read";
    EXPECT_EQ(peer().reads_started, 2U);
}

TEST_F(ChannelTest, reset_isFailedNotEnded) {
    peer().fail(asio::error::connection_reset);
    EXPECT_FALSE(run_coro(io(), channel().more()));
    EXPECT_EQ(channel().gone(), Gone::failed);
}

TEST_F(ChannelTest, consume_movesOverTheOctets) {
    peer().send("abcdef");
    ASSERT_TRUE(run_coro(io(), channel().more()));
    channel().consume(2);
    EXPECT_EQ(channel().data(), "cdef");
    peer().send("gh");
    ASSERT_TRUE(run_coro(io(), channel().more()));
    EXPECT_EQ(channel().data(), "cdefgh");
    channel().consume(6);
    EXPECT_EQ(channel().data(), "");
}

// A read was armed before the caller took what was there: its octets must land behind, not in front.
TEST_F(ChannelTest, consumeWhileReading_keepsTheOrder) {
    peer().send("abc");
    ASSERT_TRUE(run_coro(io(), channel().more()));
    channel().arm();
    ASSERT_TRUE(channel().reading());
    channel().consume(3);
    peer().send("def");
    settle(io());
    EXPECT_EQ(channel().data(), "def");
}

TEST_F(ChannelTest, readAhead_stopsAt64KiB) {
    CountingWatcher watcher;
    std::string sent;
    for (int i = 0; i < 10; ++i) {
        sent += std::string(16 * 1024, static_cast<char>('a' + i));
        peer().send(sent.substr(sent.size() - 16 * 1024));
    }
    channel().watch(&watcher);
    settle(io());
    EXPECT_EQ(channel().data().size(), kMaxChannelBuffer);
    EXPECT_EQ(channel().data(), std::string_view(sent).substr(0, kMaxChannelBuffer));
    EXPECT_FALSE(channel().reading());
    EXPECT_FALSE(run_coro(io(), channel().more())) << "no room: nothing more can come";
    EXPECT_EQ(channel().gone(), Gone::no);
    channel().watch(nullptr);

    std::string got;
    peer().end();
    for (;;) {
        got += channel().data();
        channel().consume(channel().data().size());
        if (!run_coro(io(), channel().more())) break;
        EXPECT_LE(channel().data().size(), kMaxChannelBuffer);
    }
    EXPECT_EQ(got, sent);
}

TEST_F(ChannelTest, slowConsumer_seesEveryOctetOnce) {
    std::string sent;
    for (int i = 0; i < 200'000; ++i) sent += static_cast<char>('a' + i % 26);
    for (std::size_t at = 0; at < sent.size(); at += 1777) peer().send(sent.substr(at, 1777));
    peer().end();
    std::string got;
    while (run_coro(io(), channel().more())) {
        const std::string_view data = channel().data();
        const std::size_t n = data.size() > 20'000 ? data.size() : data.size() / 3;
        got += data.substr(0, n);
        channel().consume(n);
    }
    got += channel().data();
    EXPECT_EQ(got, sent);
}

// --- watching
// ---------------------------------------------------------------------------------------------------------

TEST_F(ChannelTest, watcher_isToldOnce) {
    CountingWatcher watcher;
    channel().watch(&watcher);
    settle(io());
    EXPECT_EQ(watcher.told, 0);
    peer().end();
    settle(io());
    EXPECT_EQ(watcher.told, 1);
    channel().close();
    settle(io());
    EXPECT_EQ(watcher.told, 1);
}

TEST_F(ChannelTest, watcherOfAGonePeer_isToldAtOnce) {
    peer().end();
    EXPECT_FALSE(run_coro(io(), channel().more()));
    CountingWatcher watcher;
    channel().watch(&watcher);
    EXPECT_EQ(watcher.told, 1);
}

TEST_F(ChannelTest, watch_looksBehindPipelinedOctets) {
    CountingWatcher watcher;
    channel().watch(&watcher);
    peer().send("GET /next");
    peer().send(" HTTP/1.1");
    settle(io());
    EXPECT_EQ(watcher.told, 0);
    EXPECT_EQ(channel().data(), "GET /next HTTP/1.1");
    peer().end();
    settle(io());
    EXPECT_EQ(watcher.told, 1);
}

TEST_F(ChannelTest, formerWatcher_isNotTold) {
    CountingWatcher watcher;
    channel().watch(&watcher);
    settle(io());
    channel().watch(nullptr);
    peer().end();
    settle(io());
    EXPECT_EQ(watcher.told, 0);
    EXPECT_EQ(channel().gone(), Gone::ended);
}

TEST_F(ChannelTest, halfCloseTolerated_onlyFailureIsTold) {
    CountingWatcher watcher;
    channel().tolerate_half_close(true);
    channel().watch(&watcher);
    peer().end();
    settle(io());
    EXPECT_EQ(watcher.told, 0);
    EXPECT_EQ(channel().gone(), Gone::ended);

    FakeConnection other;
    other.channel->tolerate_half_close(true);
    other.channel->watch(&watcher);
    other.peer->fail(asio::error::connection_reset);
    settle(other.io);
    EXPECT_EQ(watcher.told, 1);
}

// --- writing
// ----------------------------------------------------------------------------------------------------------

TEST_F(ChannelTest, write_gathersItsPieces) {
    Gather pieces;
    for (const std::string_view piece : {"HTTP/1.1 200 OK\r\n", "", "\r\n", "body"}) pieces.add(piece);
    EXPECT_EQ(pieces.buffers().size(), 3U);
    EXPECT_TRUE(run_coro(io(), channel().write(pieces)));
    EXPECT_EQ(peer().received, "HTTP/1.1 200 OK\r\n\r\nbody");
    EXPECT_EQ(channel().bytes_written, peer().received.size());
}

TEST_F(ChannelTest, writePartial_sendsTheRestWhenThereIsRoom) {
    peer().accept(7);
    Gather pieces;
    pieces.add("hello ");
    pieces.add("world");
    auto writing = start_coro(io(), channel().write(pieces));
    settle(io());
    EXPECT_FALSE(writing.done());
    EXPECT_EQ(peer().received, "hello w");
    peer().accept(2);
    settle(io());
    EXPECT_FALSE(writing.done());
    peer().accept(100);
    EXPECT_TRUE(writing.get());
    EXPECT_EQ(peer().received, "hello world");
    EXPECT_EQ(channel().bytes_written, 11U);
}

TEST_F(ChannelTest, writeNow_tellsWhetherEverythingLeft) {
    peer().accept(3);
    Gather pieces;
    pieces.add("hello");
    EXPECT_FALSE(channel().write_now(pieces));
    EXPECT_FALSE(channel().write_failed());
    EXPECT_EQ(pieces.size(), 2U);
    peer().accept(2);
    EXPECT_TRUE(channel().write_now(pieces));
    EXPECT_TRUE(pieces.empty());
    EXPECT_EQ(peer().received, "hello");
}

TEST_F(ChannelTest, writeFailure_isRemembered) {
    peer().accept(3);
    Gather pieces;
    pieces.add("hello");
    auto writing = start_coro(io(), channel().write(pieces));
    settle(io());
    peer().fail_writes(asio::error::broken_pipe);
    EXPECT_FALSE(writing.get());
    EXPECT_TRUE(channel().write_failed());
    EXPECT_EQ(channel().bytes_written, 3U);
    EXPECT_FALSE(run_coro(io(), channel().write(pieces)));
}

TEST_F(ChannelTest, hardDeadlineDuringWrite_endsIt) {
    peer().accept(0);
    channel().expire_hard_at(in(30s), "client write");
    Gather pieces;
    pieces.add("hello");
    auto writing = start_coro(io(), channel().write(pieces));
    settle(io());
    ASSERT_FALSE(writing.done());
    tick(31s);
    ASSERT_TRUE(writing.done());
    EXPECT_FALSE(writing.get());
    EXPECT_TRUE(channel().closed() && channel().write_failed());
    EXPECT_EQ(channel().bytes_written, 0U);
}

TEST_F(ChannelTest, writeAfterClose_fails) {
    channel().close();
    Gather pieces;
    pieces.add("x");
    EXPECT_FALSE(run_coro(io(), channel().write(pieces)));
    EXPECT_EQ(peer().received, "");
}

TEST_F(ChannelTest, shutdownSend_leavesReadingOpen) {
    channel().shutdown_send();
    EXPECT_TRUE(peer().send_shut);
    peer().send("x");
    EXPECT_TRUE(run_coro(io(), channel().more()));
}

// --- buffers
// ----------------------------------------------------------------------------------------------------------

TEST(Gather, advance_dropsWhatWasWritten) {
    Gather pieces;
    pieces.add("abc");
    pieces.add("de");
    pieces.add("f");
    pieces.advance(0);
    EXPECT_EQ(pieces.size(), 6U);
    pieces.advance(3);
    EXPECT_EQ(pieces.buffers().size(), 2U);
    pieces.advance(1);
    EXPECT_EQ(pieces.size(), 2U);
    pieces.advance(2);
    EXPECT_TRUE(pieces.empty());
}

TEST(BlockPool, returnedBlock_isUsedAgain) {
    BlockPool pool;
    auto block = pool.get();
    const char* const address = block.get();
    pool.put(std::move(block));
    EXPECT_EQ(pool.get().get(), address);
    pool.put(nullptr);
    EXPECT_NE(pool.get().get(), nullptr);
}

} // namespace
} // namespace tollgate::net
