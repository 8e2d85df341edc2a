#include "tests/unit/net/channel_fixture.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace tollgate::net {
namespace {

using namespace std::chrono_literals;
using test::FakeConnection;
using test::run_coro;
using test::settle;
using test::start_coro;

TEST_F(ChannelTest, closeDuringRead_endsTheWait) {
    auto waiting = start_coro(io(), channel().more());
    settle(io());
    channel().close();
    EXPECT_FALSE(waiting.get());
    EXPECT_TRUE(channel().closed());
    EXPECT_EQ(channel().gone(), Gone::failed);
    EXPECT_TRUE(peer().closed);
    EXPECT_FALSE(run_coro(io(), channel().more()));
}

TEST_F(ChannelTest, hardDeadline_closesTheConnection) {
    channel().expire_hard_at(in(5s), "idle");
    auto waiting = start_coro(io(), channel().more());
    tick(4s);
    EXPECT_FALSE(waiting.done());
    tick(1s);
    ASSERT_TRUE(waiting.done());
    EXPECT_FALSE(waiting.get());
    EXPECT_TRUE(channel().closed() && channel().expired());
    EXPECT_EQ(channel().clock(), "idle");
}

// Case 236: what a peer with a closed window never takes must not stay in the kernel; an idle end is a polite one.
TEST_F(ChannelTest, hardDeadline_discardsWhatAStalledWriteLeft) {
    peer().accept(2);
    net::Gather answer;
    answer.add("answer");
    channel().expire_hard_at(in(5s), "client write");
    auto writing = start_coro(io(), channel().write(answer));
    settle(io());
    EXPECT_FALSE(writing.done());
    EXPECT_FALSE(peer().discarded);
    tick(6s);
    EXPECT_TRUE(peer().discarded && peer().closed);
}

TEST_F(ChannelTest, hardDeadline_betweenWritesDiscardsNothing) {
    peer().accept(2);
    net::Gather answer;
    answer.add("answer");
    auto writing = start_coro(io(), channel().write(answer));
    settle(io());
    peer().accept(100);
    EXPECT_TRUE(writing.get());
    channel().expire_hard_at(in(5s), "keep-alive");
    tick(6s);
    EXPECT_TRUE(peer().closed);
    EXPECT_FALSE(peer().discarded);
}

TEST_F(ChannelTest, softDeadline_endsTheWaitAndLeavesTheConnectionOpen) {
    channel().expire_softly_at(in(5s), "request head");
    auto waiting = start_coro(io(), channel().more());
    settle(io());
    tick(6s);
    ASSERT_TRUE(waiting.done());
    EXPECT_FALSE(waiting.get());
    EXPECT_TRUE(channel().expired());
    EXPECT_FALSE(channel().closed());
    net::Gather answer;
    answer.add("408");
    EXPECT_TRUE(run_coro(io(), channel().write(answer)));
    EXPECT_EQ(peer().received, "408");
    auto lingering = start_coro(io(), channel().more());
    settle(io());
    peer().send("late");
    EXPECT_TRUE(lingering.get());
    EXPECT_EQ(channel().data(), "late");
}

TEST_F(ChannelTest, softDeadlineWhileNobodyWaits_endsTheNextWait) {
    channel().expire_softly_at(in(5s), "request body");
    tick(6s);
    EXPECT_FALSE(run_coro(io(), channel().more()));
    EXPECT_FALSE(channel().closed());
    peer().send("late");
    EXPECT_TRUE(run_coro(io(), channel().more())) << "only that one";
}

TEST_F(ChannelTest, newDeadline_forgetsAMissedOne) {
    channel().expire_softly_at(in(5s), "request body");
    tick(6s);
    channel().expire_softly_at(in(5s), "request body");
    auto waiting = start_coro(io(), channel().more());
    settle(io());
    EXPECT_FALSE(waiting.done());
    peer().send("x");
    EXPECT_TRUE(waiting.get());
}

TEST_F(ChannelTest, expireNever_takesTheDeadlineBack) {
    channel().expire_hard_at(in(1s), "idle");
    channel().expire_never();
    tick(1h);
    EXPECT_FALSE(channel().closed() || channel().expired());
}

TEST_F(ChannelTest, hardDeadlineWhileWatching_tellsTheWatcher) {
    CountingWatcher watcher;
    channel().watch(&watcher);
    channel().expire_hard_at(in(1s), "idle");
    tick(2s);
    EXPECT_EQ(watcher.told, 1);
}

// Nothing is read any more because the buffer is full: the watcher must learn of the end all the same.
TEST_F(ChannelTest, hardDeadlineWithFullBuffer_tellsTheWatcher) {
    CountingWatcher watcher;
    for (int i = 0; i < 5; ++i) peer().send(std::string(16 * 1024, 'x'));
    channel().watch(&watcher);
    channel().expire_hard_at(in(1s), "idle");
    settle(io());
    ASSERT_FALSE(channel().reading());
    tick(2s);
    EXPECT_EQ(watcher.told, 1);
    EXPECT_EQ(channel().gone(), Gone::failed);
}

TEST_F(ChannelTest, closedWithoutRead_isGone) {
    channel().close();
    EXPECT_EQ(channel().gone(), Gone::failed);
    CountingWatcher watcher;
    channel().watch(&watcher);
    EXPECT_EQ(watcher.told, 1);
    EXPECT_EQ(peer().reads_started, 0U);
}

TEST_F(ChannelTest, terminateAll_endsEverything) {
    FakeConnection other;
    auto second =
        std::make_shared<Channel>(test::make_fake_transport(other.peer), connection_.blocks, connection_.deadlines);
    auto waiting = start_coro(io(), channel().more());
    settle(io());
    connection_.deadlines.terminate_all();
    EXPECT_FALSE(waiting.get());
    EXPECT_TRUE(channel().closed());
    EXPECT_TRUE(second->closed());
}

TEST_F(ChannelTest, expireClock_endsOnlyWhatWaitsOnIt) {
    FakeConnection other;
    auto second =
        std::make_shared<Channel>(test::make_fake_transport(other.peer), connection_.blocks, connection_.deadlines);
    channel().expire_hard_at(Clock::now() + 1h, "idle");
    second->expire_hard_at(Clock::now() + 1h, "client write");
    connection_.deadlines.expire_clock("idle");
    EXPECT_TRUE(channel().closed());
    EXPECT_FALSE(second->closed());
}

// A coroutine that the deadline resumes may drop the last reference to its channel.
TEST_F(ChannelTest, ownerThatLeavesInsideTheDeadline_isSafe) {
    auto owned = std::make_shared<Channel>(test::make_fake_transport(std::make_shared<test::FakePeer>(io())),
                                           connection_.blocks, connection_.deadlines);
    const std::weak_ptr<Channel> alive = owned;
    owned->expire_softly_at(in(1s), "request head");
    const auto session = [](ChannelPtr mine) -> Task<bool> {
        const bool more = co_await mine->more();
        mine->close();
        co_return more;
    };
    auto running = start_coro(io(), session(std::move(owned)));
    settle(io());
    tick(2s);
    EXPECT_FALSE(running.get());
    settle(io());
    EXPECT_TRUE(alive.expired()) << "the aborted read still holds the channel";
}

} // namespace
} // namespace tollgate::net
