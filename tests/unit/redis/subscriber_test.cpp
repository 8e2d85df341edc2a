// Published messages of a real redis-server.
#include "cache/redis/client.hpp"
#include "cache/redis/subscriber.hpp"

#include "tests/unit/redis/loop.hpp"
#include "tests/unit/redis/redis_process.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>

namespace tollgate::redis {
namespace {

using namespace std::chrono_literals;
using test::RedisProcess;
using test::run;
using test::run_until;

struct Ear final : ChannelListener {
    void on_message() override { ++heard; }
    unsigned heard = 0;
};

class Subscribers : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(RedisProcess::available()) << "deploy/install-deps test installs redis-server";
        process = std::make_unique<RedisProcess>(std::vector<std::string>{});
        config::Redis options;
        options.host = "127.0.0.1";
        options.port = process->port();
        options.timeout = 5s;
        client = std::make_unique<Client>(io, options);
        subscriber = std::make_unique<Subscriber>(io, options);
        client->start();
        subscriber->start();
        run_until(io, [this] { return client->connected() && subscriber->connected(); });
    }
    // How many connections got it.
    std::int64_t publish(std::string_view channel) {
        std::string out;
        append_command(out, {"PUBLISH", channel, "x"});
        const auto reply = run(io, client->command(std::move(out)));
        return reply ? reply->integer : -1;
    }

    asio::io_context io{1};
    std::unique_ptr<RedisProcess> process;
    std::unique_ptr<Client> client;
    std::unique_ptr<Subscriber> subscriber;
};

TEST_F(Subscribers, Are_told_when_they_begin_and_with_every_message) {
    Ear ear;
    const Subscription subscription(*subscriber, "news", ear);
    run_until(io, [&] { return ear.heard == 1; }); // what came before is lost
    EXPECT_EQ(publish("news"), 1);
    run_until(io, [&] { return ear.heard == 2; });
    EXPECT_EQ(publish("other"), 0);
}

TEST_F(Subscribers, Share_one_subscription_until_the_last_has_gone) {
    Ear one, two;
    std::optional<Subscription> first(std::in_place, *subscriber, "news", one);
    run_until(io, [&] { return one.heard == 1; });
    std::optional<Subscription> second(std::in_place, *subscriber, "news", two);
    EXPECT_EQ(publish("news"), 1);
    run_until(io, [&] { return one.heard == 2 && two.heard == 1; });
    first.reset();
    EXPECT_EQ(publish("news"), 1);
    run_until(io, [&] { return two.heard == 2; });
    EXPECT_EQ(one.heard, 2U);
    second.reset();
    run_until(io, [&] { return publish("news") == 0; });
}

TEST_F(Subscribers, Subscribe_again_with_a_new_connection) {
    Ear ear;
    const Subscription subscription(*subscriber, "news", ear);
    run_until(io, [&] { return ear.heard == 1; });
    std::string out;
    append_command(out, {"CLIENT", "KILL", "TYPE", "pubsub"});
    EXPECT_EQ(run(io, client->command(std::move(out)))->integer, 1);
    run_until(io, [&] { return ear.heard == 2; }); // what came meanwhile is lost
    EXPECT_EQ(publish("news"), 1);
    run_until(io, [&] { return ear.heard == 3; });
}

TEST_F(Subscribers, Without_a_connection_hear_nothing_and_may_go) {
    subscriber->stop();
    EXPECT_FALSE(subscriber->connected());
    Ear ear;
    {
        const Subscription subscription(*subscriber, "news", ear);
    }
    EXPECT_EQ(publish("news"), 0);
    EXPECT_EQ(ear.heard, 0U);
}

} // namespace
} // namespace tollgate::redis
