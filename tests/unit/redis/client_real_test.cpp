// The client against a real redis-server: what a scripted one cannot vouch for.
#include "cache/redis/client.hpp"

#include "tests/unit/redis/loop.hpp"
#include "tests/unit/redis/redis_process.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <memory>

namespace tollgate::redis {
namespace {

using namespace std::chrono_literals;
using test::RedisProcess;
using test::run;
using test::run_until;
using Answer = std::expected<Reply, Failure>;

class RealRedis : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(RedisProcess::available()) << "deploy/install-deps test installs redis-server";
        process = std::make_unique<RedisProcess>(std::vector<std::string>{"--requirepass", "s3cret"});
    }
    config::Redis options() const {
        config::Redis out;
        out.host = "127.0.0.1";
        out.port = process->port();
        out.password = Secret("s3cret");
        out.timeout = 30ms;
        return out;
    }
    void connect(const config::Redis& with) {
        client = std::make_unique<Client>(io, with);
        client->start();
        run_until(io, [this] { return client->connected(); });
    }
    // Deadlines of the loaded machine the tests run on are not what most of them are about.
    void connect_patiently() {
        config::Redis with = options();
        with.timeout = 5s;
        connect(with);
    }
    Answer ask(std::initializer_list<std::string_view> words) {
        std::string out;
        append_command(out, words);
        return run(io, client->command(std::move(out)));
    }

    asio::io_context io{1};
    std::unique_ptr<RedisProcess> process;
    std::unique_ptr<Client> client;
};

TEST_F(RealRedis, Set_and_get) {
    connect_patiently();
    const std::string value("a\r\n\0b", 5);
    EXPECT_EQ(ask({"SET", "k", value, "PX", "60000"})->text, "OK");
    EXPECT_EQ(ask({"GET", "k"})->text, value);
    EXPECT_EQ(ask({"GET", "absent"})->kind, Reply::Kind::nil);
    EXPECT_EQ(ask({"GET"})->kind, Reply::Kind::error);
    const Answer list = ask({"MGET", "k", "absent"});
    ASSERT_EQ(list->elements.size(), 2U);
    EXPECT_EQ(list->elements[0].text, value);
    EXPECT_EQ(list->elements[1].kind, Reply::Kind::nil);
    EXPECT_GT(ask({"PTTL", "k"})->integer, 0);
}

TEST_F(RealRedis, The_wrong_password_is_refused) {
    config::Redis with = options();
    with.password = Secret("wrong");
    client = std::make_unique<Client>(io, with);
    client->start();
    run_until(io, [this] { return client->last_error().starts_with("AUTH: WRONGPASS"); });
    EXPECT_FALSE(client->connected());
}

TEST_F(RealRedis, A_named_user_is_authenticated) {
    connect_patiently();
    EXPECT_EQ(ask({"ACL", "SETUSER", "gw", "on", ">pw", "~tg:*", "+get", "+set"})->text, "OK");
    config::Redis with = options();
    with.user = "gw";
    with.password = Secret("pw");
    with.timeout = 5s;
    connect(with);
    EXPECT_EQ(ask({"SET", "tg:a", "1"})->text, "OK");
    EXPECT_EQ(ask({"SET", "other", "1"})->text.substr(0, 6), "NOPERM");
}

TEST_F(RealRedis, The_database_is_selected) {
    config::Redis with = options();
    with.timeout = 5s;
    with.database = 3;
    connect(with);
    EXPECT_EQ(ask({"SET", "k", "in three"})->text, "OK");
    connect_patiently();
    EXPECT_EQ(ask({"GET", "k"})->kind, Reply::Kind::nil);
    EXPECT_EQ(ask({"SELECT", "3"})->text, "OK");
    EXPECT_EQ(ask({"GET", "k"})->text, "in three");
}

TEST_F(RealRedis, A_restart_is_survived) {
    connect_patiently();
    EXPECT_EQ(ask({"SET", "k", "v"})->text, "OK");
    process->stop();
    run_until(io, [this] { return !client->connected(); });
    EXPECT_EQ(ask({"GET", "k"}).error(), Failure::down);
    process->start();
    run_until(io, [this] { return client->connected(); });
    EXPECT_EQ(ask({"GET", "k"})->kind, Reply::Kind::nil);
    EXPECT_EQ(client->stats().connects, 2U);
}

TEST_F(RealRedis, A_stopped_server_times_out_and_recovers) {
    connect(options());
    process->signal(SIGSTOP);
    for (int i = 0; i < 3; ++i) {
        const TimePoint begin = Clock::now();
        EXPECT_EQ(ask({"GET", "k"}).error(), Failure::timeout);
        EXPECT_LE(Clock::now() - begin, 300ms);
    }
    // The kernel would still accept: only an answer counts as a connection.
    run_until(io, [this] { return !client->connected(); });
    const TimePoint begin = Clock::now();
    EXPECT_EQ(ask({"GET", "k"}).error(), Failure::down);
    EXPECT_LE(Clock::now() - begin, 300ms);
    process->signal(SIGCONT);
    run_until(io, [this] {
        const Answer answer = ask({"SET", "k", "v"});
        return answer && answer->text == "OK";
    });
}

TEST_F(RealRedis, A_short_stop_needs_no_new_connection) {
    connect(options());
    process->signal(SIGSTOP);
    EXPECT_EQ(ask({"GET", "k"}).error(), Failure::timeout);
    process->signal(SIGCONT);
    run_until(io, [this] {
        const Answer answer = ask({"ECHO", "mine"});
        return answer && answer->text == "mine";
    });
    EXPECT_EQ(client->stats().connects, 1U);
}

} // namespace
} // namespace tollgate::redis
