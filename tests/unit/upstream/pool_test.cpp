#include "gateway/upstream/pool.hpp"

#include "tests/support/fake_transport.hpp"
#include "tests/support/run_coro.hpp"

#include <boost/asio/error.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace tollgate::upstream {
namespace {

using namespace std::chrono_literals;
using test::FakePeer;
using test::settle;

class PoolTest : public testing::Test {
  protected:
    struct Pooled {
        std::shared_ptr<FakePeer> peer;
        net::ChannelPtr channel;
    };
    Pooled open() {
        Pooled made{std::make_shared<FakePeer>(io_), nullptr};
        made.channel = std::make_shared<net::Channel>(test::make_fake_transport(made.peer), blocks_, deadlines_);
        opened_.push_back(made.channel);
        return made;
    }
    // Opened and put; the pool is its only owner.
    std::shared_ptr<FakePeer> put(const std::string& key = "a") {
        Pooled made = open();
        pool_.put(key, std::move(made.channel));
        return made.peer;
    }
    ~PoolTest() override {
        pool_.close_all();
        for (const auto& each : opened_) // an armed read keeps its channel alive
            if (const net::ChannelPtr alive = each.lock()) alive->close();
        settle(io_);
    }

    asio::io_context io_{1};
    net::BlockPool blocks_;
    DeadlineList deadlines_;
    net::Permits permits_{1000};
    Pool pool_{permits_};
    std::vector<std::weak_ptr<net::Channel>> opened_;
};

TEST_F(PoolTest, lastPut_isTakenFirst) {
    std::vector<net::Channel*> channels;
    for (int i = 0; i < 3; ++i) {
        Pooled made = open();
        channels.push_back(made.channel.get());
        pool_.put("a", std::move(made.channel));
    }
    EXPECT_EQ(pool_.idle("a"), 3U);
    std::vector<net::ChannelPtr> taken;
    for (int i = 2; i >= 0; --i) {
        taken.push_back(pool_.take("a"));
        EXPECT_EQ(taken.back().get(), channels[static_cast<std::size_t>(i)]);
    }
    EXPECT_EQ(pool_.take("a"), nullptr);
    EXPECT_EQ(pool_.idle("a"), 0U);
}

TEST_F(PoolTest, keys_doNotShare) {
    put("a");
    EXPECT_EQ(pool_.take("b"), nullptr);
    EXPECT_NE(pool_.take("a"), nullptr);
}

TEST_F(PoolTest, takenConnection_isOpenAndHasNoDeadline) {
    const auto peer = put();
    const net::ChannelPtr taken = pool_.take("a");
    ASSERT_NE(taken, nullptr);
    EXPECT_FALSE(taken->closed());
    EXPECT_EQ(taken->expires(), kNever);
    peer->end(); // nobody watches for the pool any more
    settle(io_);
    EXPECT_EQ(taken->gone(), net::Gone::ended);
    EXPECT_FALSE(taken->closed());
}

TEST_F(PoolTest, idleConnectionThatThePeerEnds_disappears) {
    const auto ended = put();
    const auto reset = put();
    const auto alive = put();
    ended->end();
    reset->fail(asio::error::connection_reset);
    settle(io_);
    EXPECT_EQ(pool_.idle("a"), 1U);
    EXPECT_TRUE(ended->closed && reset->closed);
    EXPECT_FALSE(alive->closed);
    EXPECT_NE(pool_.take("a"), nullptr);
}

// Case 287: a 408, an alert, the rest of an answer. Whatever it is, it must not answer the next request.
TEST_F(PoolTest, idleConnectionWithOctets_isNotUsedAgain) {
    const auto chatty = put();
    chatty->send("HTTP/1.1 408 Request Timeout\r\n\r\n");
    settle(io_);
    EXPECT_EQ(pool_.take("a"), nullptr);
    EXPECT_TRUE(chatty->closed);
}

TEST_F(PoolTest, octetsOnOneConnection_leaveTheOthersUsable) {
    Pooled good = open();
    net::Channel* const expected = good.channel.get();
    pool_.put("a", std::move(good.channel));
    put()->send("x");
    settle(io_);
    EXPECT_EQ(pool_.take("a").get(), expected);
}

// Case 286: a second answer behind the first is discarded with its connection.
TEST_F(PoolTest, connectionWithOctetsLeft_isClosedOnPut) {
    Pooled made = open();
    made.peer->send("HTTP/1.1 200 OK");
    made.channel->arm();
    settle(io_);
    pool_.put("a", made.channel);
    EXPECT_TRUE(made.channel->closed());
    EXPECT_EQ(pool_.idle("a"), 0U);
}

TEST_F(PoolTest, goneOrClosedConnection_isNotKept) {
    Pooled ended = open();
    ended.peer->end();
    ended.channel->arm();
    settle(io_);
    pool_.put("a", ended.channel);
    Pooled closed = open();
    closed.channel->close();
    pool_.put("a", closed.channel);
    EXPECT_EQ(pool_.idle("a"), 0U);
    EXPECT_TRUE(ended.peer->closed);
}

TEST_F(PoolTest, cap_closesWhatIsTooMuch) {
    for (std::size_t i = 0; i < Pool::kMaxIdle; ++i) put();
    EXPECT_EQ(pool_.idle("a"), Pool::kMaxIdle);
    const auto surplus = put();
    EXPECT_TRUE(surplus->closed);
    EXPECT_EQ(pool_.idle("a"), Pool::kMaxIdle);
    put("b");
    EXPECT_EQ(pool_.idle("b"), 1U) << "the cap is per provider";
}

TEST_F(PoolTest, permits_boundAllPoolsTogether) {
    net::Permits two(2);
    Pool one(two);
    Pool other(two);
    const auto give = [&](Pool& to) {
        Pooled made = open();
        to.put("a", std::move(made.channel));
        return made.peer;
    };
    give(one);
    give(other);
    EXPECT_TRUE(give(other)->closed) << "no permit left";
    EXPECT_EQ(one.idle("a") + other.idle("a"), 2U);
    EXPECT_NE(one.take("a"), nullptr); // gives its permit back
    EXPECT_FALSE(give(other)->closed);
    EXPECT_EQ(other.idle("a"), 2U);
    EXPECT_TRUE(give(one)->closed);
}

TEST_F(PoolTest, idleLife_endsIt) {
    const auto peer = put();
    deadlines_.tick(deadlines_.now() + Pool::kIdleLife - 1s);
    settle(io_);
    EXPECT_EQ(pool_.idle("a"), 1U);
    deadlines_.tick(deadlines_.now() + 1s);
    settle(io_);
    EXPECT_EQ(pool_.idle("a"), 0U);
    EXPECT_TRUE(peer->closed);
}

// Trust that was withdrawn and names that moved end even for a connection that is never idle.
TEST_F(PoolTest, age_endsABusyConnection) {
    Pooled busy = open();
    Pooled waiting = open();
    deadlines_.tick(deadlines_.now() + Pool::kMaxAge - 1s);
    pool_.put("a", waiting.channel);
    pool_.put("a", busy.channel);
    EXPECT_EQ(pool_.take("a"), busy.channel) << "young enough";
    deadlines_.tick(deadlines_.now() + 1s);
    EXPECT_EQ(pool_.take("a"), nullptr) << "became too old while it was idle";
    EXPECT_TRUE(waiting.peer->closed);
    pool_.put("a", busy.channel);
    EXPECT_TRUE(busy.channel->closed());
    EXPECT_EQ(pool_.idle("a"), 0U);
}

// A provider that talks until the buffer is full and is read no more still goes when its time is up.
TEST_F(PoolTest, idleLifeOfAFullBuffer_endsItToo) {
    const auto peer = put();
    for (int i = 0; i < 5; ++i) peer->send(std::string(16 * 1024, 'x'));
    settle(io_);
    deadlines_.tick(deadlines_.now() + Pool::kIdleLife);
    settle(io_);
    EXPECT_EQ(pool_.idle("a"), 0U);
    EXPECT_TRUE(peer->closed);
}

TEST_F(PoolTest, closeAll_closesEverything) {
    const auto a = put("a");
    const auto b = put("b");
    pool_.close_all();
    settle(io_);
    EXPECT_TRUE(a->closed && b->closed);
    EXPECT_EQ(pool_.idle("a"), 0U);
}

} // namespace
} // namespace tollgate::upstream
