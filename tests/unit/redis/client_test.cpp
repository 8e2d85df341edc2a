// The client against a scripted server: order, batching, deadlines, and everything a peer can do wrong.
#include "cache/redis/client.hpp"

#include "tests/unit/redis/fake_server.hpp"
#include "tests/unit/redis/loop.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace tollgate::redis {
namespace {

using namespace std::chrono_literals;
using test::FakeServer;
using test::run;
using test::run_until;
using Answer = std::expected<Reply, Failure>;
using Pending = test::Started<Answer>;

std::string encoded(std::initializer_list<std::string_view> words) {
    std::string out;
    append_command(out, words);
    return out;
}

std::string text(const Answer& answer) {
    if (answer) return answer->text;
    switch (answer.error()) {
    case Failure::down: return "down";
    case Failure::timeout: return "timeout";
    case Failure::protocol: return "protocol";
    }
    return {};
}

class RedisClient : public testing::Test {
  protected:
    config::Redis options(std::chrono::milliseconds timeout = 5s) const {
        config::Redis out;
        out.host = "127.0.0.1";
        out.port = server->port();
        out.timeout = timeout;
        return out;
    }
    void connect(const config::Redis& with) {
        client = std::make_unique<Client>(io, with);
        client->start();
        run_until(io, [this] { return client->connected(); });
    }
    std::string ask(std::initializer_list<std::string_view> words) {
        return text(run(io, client->command(encoded(words))));
    }
    Pending start(std::initializer_list<std::string_view> words) { return {io, client->command(encoded(words))}; }
    void wait_for(Pending& pending) {
        run_until(io, [&] { return pending.done(); });
    }
    void wait_for_connections(std::uint64_t count) {
        run_until(io, [this, count] { return client->connected() && client->stats().connects == count; });
    }

    asio::io_context io{1};
    FakeServer fake{io};
    FakeServer* const server = &fake;
    std::unique_ptr<Client> client;
};

TEST_F(RedisClient, Commands_of_one_turn_leave_in_one_write_and_replies_keep_their_order) {
    connect(options());
    std::vector<Pending> pending;
    for (int i = 0; i < 100; ++i) pending.push_back(start({"ECHO", std::to_string(i)}));
    client->post(encoded({"SET", "a", "b"}));
    for (int i = 0; i < 100; ++i) {
        wait_for(pending[static_cast<std::size_t>(i)]);
        EXPECT_EQ(text(pending[static_cast<std::size_t>(i)].value()), std::to_string(i));
    }
    EXPECT_EQ(server->commands.size(), 101U);
    EXPECT_EQ(server->reads.size(), 1U) << "writes were not batched";
    EXPECT_EQ(client->stats().ok, 101U);
    EXPECT_EQ(client->stats().errors, 0U);
    EXPECT_EQ(server->data["a"], "b");
}

TEST_F(RedisClient, An_error_reply_is_a_reply) {
    connect(options());
    const Answer answer = run(io, client->command(encoded({"NONSENSE"})));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->kind, Reply::Kind::error);
    EXPECT_EQ(answer->text, "ERR unknown command");
    EXPECT_EQ(client->stats().errors, 1U);
}

TEST_F(RedisClient, Authenticates_and_selects_before_it_is_connected) {
    config::Redis with = options();
    with.user = "gateway";
    with.password = Secret("s3cret");
    with.database = 7;
    connect(with);
    const std::vector<FakeServer::Arguments> expected = {{"AUTH", "gateway", "s3cret"}, {"SELECT", "7"}};
    EXPECT_EQ(server->commands, expected);
    EXPECT_EQ(client->last_error(), "");
}

TEST_F(RedisClient, A_refused_password_means_down_with_a_reason) {
    server->answer = [this](const FakeServer::Arguments& command) {
        return command.front() == "AUTH" ? "-WRONGPASS invalid password\r\n" : server->default_answer(command);
    };
    config::Redis with = options();
    with.password = Secret("wrong");
    client = std::make_unique<Client>(io, with);
    client->start();
    run_until(io, [this] { return server->connections >= 2; });
    EXPECT_FALSE(client->connected());
    EXPECT_EQ(client->last_error(), "AUTH: WRONGPASS invalid password");
    EXPECT_EQ(ask({"GET", "a"}), "down");
    EXPECT_EQ(client->stats().connects, 0U);
}

TEST_F(RedisClient, Ping_refused_by_an_acl_is_a_sign_of_life) {
    server->answer = [this](const FakeServer::Arguments& command) {
        return command.front() == "PING" ? "-NOPERM this user has no permissions\r\n" : server->default_answer(command);
    };
    connect(options());
    EXPECT_EQ(ask({"ECHO", "x"}), "x");
}

TEST_F(RedisClient, A_name_is_resolved) {
    config::Redis with = options();
    with.host = "localhost";
    connect(with);
    EXPECT_EQ(ask({"ECHO", "x"}), "x");
}

TEST_F(RedisClient, A_late_reply_goes_to_nobody) {
    connect(options(50ms));
    server->answer = [](const FakeServer::Arguments&) { return std::string(); };
    EXPECT_EQ(ask({"GET", "slow"}), "timeout");
    Pending next = start({"GET", "next"});
    run_until(io, [this] { return server->commands.size() == 2; });
    server->send("$4\r\nslow\r\n$4\r\nnext\r\n");
    wait_for(next);
    EXPECT_EQ(text(next.value()), "next");
    EXPECT_EQ(client->stats().timeouts, 1U);
    EXPECT_EQ(client->stats().ok, 1U);
    EXPECT_EQ(client->stats().connects, 1U) << "a late reply is no reason to reconnect";
}

TEST_F(RedisClient, A_timeout_comes_in_time) {
    connect(options(30ms));
    server->answer = [](const FakeServer::Arguments&) { return std::string(); };
    const TimePoint begin = Clock::now();
    EXPECT_EQ(ask({"GET", "a"}), "timeout");
    EXPECT_GE(Clock::now() - begin, 30ms);
    EXPECT_LE(Clock::now() - begin, 300ms);
}

TEST_F(RedisClient, A_silent_connection_is_replaced) {
    connect(options(30ms));
    server->answer = [this](const FakeServer::Arguments& command) {
        return server->connections == 1 ? std::string() : server->default_answer(command);
    };
    const TimePoint begin = Clock::now();
    EXPECT_EQ(ask({"GET", "a"}), "timeout");
    wait_for_connections(2);
    EXPECT_GE(Clock::now() - begin, 1s);
    EXPECT_LE(Clock::now() - begin, 10s);
    EXPECT_EQ(ask({"ECHO", "again"}), "again");
}

TEST_F(RedisClient, Garbage_fails_everything_with_protocol_and_reconnects) {
    connect(options());
    for (const std::string_view garbage : {"HTTP/1.1 400 Bad Request\r\n", "*1000000000\r\n", "$-5\r\n", "%1\r\n"}) {
        const std::uint64_t before = client->stats().connects;
        server->answer = [garbage](const FakeServer::Arguments&) { return std::string(garbage); };
        Pending one = start({"GET", "a"});
        Pending two = start({"GET", "b"});
        wait_for(one);
        wait_for(two);
        EXPECT_EQ(text(one.value()), "protocol") << garbage;
        EXPECT_EQ(text(two.value()), "protocol") << garbage;
        EXPECT_FALSE(client->connected());
        EXPECT_EQ(client->last_error().substr(0, 15), "protocol error:");
        server->answer = nullptr;
        wait_for_connections(before + 1);
        EXPECT_EQ(ask({"ECHO", "x"}), "x");
    }
}

TEST_F(RedisClient, A_reply_nobody_asked_for_ends_the_connection) {
    connect(options());
    server->send("+surprise\r\n");
    wait_for_connections(2);
    EXPECT_EQ(ask({"ECHO", "x"}), "x");
}

TEST_F(RedisClient, A_closed_connection_means_down_then_reconnect) {
    connect(options());
    server->answer = [](const FakeServer::Arguments&) { return std::string(); };
    Pending pending = start({"GET", "a"});
    run_until(io, [this] { return !server->commands.empty(); });
    server->answer = nullptr;
    server->close_connections();
    wait_for(pending);
    EXPECT_EQ(text(pending.value()), "down");
    EXPECT_EQ(ask({"GET", "a"}), "down") << "commands must not wait for a connection";
    wait_for_connections(2);
    EXPECT_EQ(ask({"ECHO", "x"}), "x");
}

TEST_F(RedisClient, Nobody_listening_means_down_at_once) {
    const config::Redis with = options();
    server->stop_listening();
    client = std::make_unique<Client>(io, with);
    client->start();
    run_until(io, [this] { return !client->last_error().empty(); });
    EXPECT_EQ(client->last_error().substr(0, 14), "cannot connect");
    EXPECT_EQ(ask({"GET", "a"}), "down");
    client->post(encoded({"SET", "a", "b"}));
    EXPECT_EQ(client->stats().errors, 2U);
}

TEST_F(RedisClient, A_server_that_does_not_greet_is_given_up) {
    server->answer = [](const FakeServer::Arguments&) { return std::string(); };
    client = std::make_unique<Client>(io, options());
    client->start();
    const TimePoint begin = Clock::now();
    run_until(io, [this] { return server->connections == 2; });
    EXPECT_GE(Clock::now() - begin, 1s);
    EXPECT_LE(Clock::now() - begin, 10s);
    EXPECT_EQ(client->last_error(), "no answer within 1 s");
    EXPECT_FALSE(client->connected());
}

TEST_F(RedisClient, A_command_larger_than_the_socket_buffer_arrives_whole) {
    connect(options());
    const std::string big(12 << 20, 'x');
    Pending set = start({"SET", "big", big});
    Pending small = start({"ECHO", "behind"});
    wait_for(small);
    EXPECT_EQ(text(set.value()), "OK");
    EXPECT_EQ(text(small.value()), "behind");
    EXPECT_EQ(server->data["big"], big);
    EXPECT_EQ(run(io, client->command(encoded({"GET", "big"})))->text, big);
}

TEST_F(RedisClient, Outstanding_commands_are_bounded) {
    connect(options());
    server->answer = [](const FakeServer::Arguments&) { return std::string(); };
    for (int i = 0; i < 4096; ++i) client->post(encoded({"GET", "a"}));
    EXPECT_EQ(client->stats().errors, 0U);
    EXPECT_EQ(ask({"GET", "a"}), "down");
    EXPECT_EQ(client->stats().errors, 1U);
}

TEST_F(RedisClient, Queued_octets_are_bounded) {
    connect(options());
    const std::string mebibyte(1 << 20, 'x');
    for (int i = 0; i < 70; ++i) client->post(encoded({"SET", "a", mebibyte}));
    EXPECT_EQ(client->stats().errors, 7U) << "63 commands of 1 MiB and a header fit into 64 MiB";
}

TEST_F(RedisClient, Stop_fails_what_is_outstanding) {
    connect(options());
    server->answer = [](const FakeServer::Arguments&) { return std::string(); };
    Pending pending = start({"GET", "a"});
    run_until(io, [this] { return !server->commands.empty(); });
    client->stop();
    EXPECT_FALSE(pending.done()) << "stop() must not run its callers' coroutines";
    wait_for(pending);
    EXPECT_EQ(text(pending.value()), "down");
    EXPECT_EQ(ask({"GET", "a"}), "down");
    client->start();
    EXPECT_EQ(ask({"GET", "a"}), "down") << "stopped is final";
}

TEST_F(RedisClient, May_go_away_inside_a_reply) {
    connect(options());
    auto body = [](std::unique_ptr<Client>& owner) -> Task<Answer> {
        std::string echo = encoded({"ECHO", "x"});
        const Answer answer = co_await owner->command(std::move(echo));
        owner.reset();
        co_return answer;
    };
    Pending first(io, body(client));
    Pending second = start({"ECHO", "y"});
    wait_for(first);
    wait_for(second);
    EXPECT_EQ(text(first.value()), "x");
    EXPECT_EQ(text(second.value()), "down");
}

// Sets a flag when the coroutine that holds it is destroyed.
struct Flag {
    explicit Flag(bool& target) : set(&target) {}
    ~Flag() { *set = true; }
    Flag(const Flag&) = delete;
    Flag& operator=(const Flag&) = delete;
    bool* set;
};

Task<Answer> wait_with_flag(Client& client, bool& destroyed) {
    const Flag flag(destroyed);
    std::string get = encoded({"GET", "a"});
    co_return co_await client.command(std::move(get));
}

TEST(RedisClientLifetime, Waiting_frames_go_away_with_the_io_context) {
    for (const bool stopped : {false, true}) {
        bool destroyed = false;
        {
            asio::io_context io{1};
            FakeServer server(io);
            config::Redis with;
            with.host = "127.0.0.1";
            with.port = server.port();
            with.timeout = 5s;
            Client client(io, with);
            client.start();
            run_until(io, [&] { return client.connected(); });
            server.answer = [](const FakeServer::Arguments&) { return std::string(); };
            const Pending pending(io, wait_with_flag(client, destroyed));
            run_until(io, [&] { return !server.commands.empty(); });
            if (stopped) client.stop();
            EXPECT_FALSE(destroyed);
        }
        EXPECT_TRUE(destroyed);
    }
}

TEST(RedisClientLifetime, May_go_away_while_it_connects_or_pauses) {
    for (const bool listening : {false, true}) {
        asio::io_context io{1};
        FakeServer server(io);
        server.answer = [](const FakeServer::Arguments&) { return std::string(); };
        config::Redis with;
        with.host = listening ? "127.0.0.1" : "host.invalid";
        with.port = server.port();
        Client client(io, with);
        client.start();
        io.poll();
        client.stop();
        const bool idle = run_until(io, [&] { return io.poll() == 0; });
        EXPECT_TRUE(idle);
    }
}

} // namespace
} // namespace tollgate::redis
