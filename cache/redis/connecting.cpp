// From a host name to a connection that has answered: resolve, connect, authenticate, select, ask for a sign of life.
#include "cache/redis/connection.hpp"
#include "gateway/base/text.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

namespace tollgate::redis {
namespace {

constexpr std::chrono::seconds kConnectDeadline{1}; // name resolution and greeting included
constexpr std::size_t kMaxErrorText = 200;          // of what a peer may put into last_error
constexpr auto kTuple = asio::as_tuple(UseTask{});

struct Greeting {
    std::string commands;
    std::vector<std::string_view> names;
};

Greeting greeting(const config::Redis& options) {
    Greeting hello;
    if (!options.password.empty()) {
        hello.names.emplace_back("AUTH");
        if (options.user.empty()) {
            append_command(hello.commands, {"AUTH", options.password.reveal()});
        } else {
            append_command(hello.commands, {"AUTH", options.user, options.password.reveal()});
        }
    }
    if (options.database != 0) {
        hello.names.emplace_back("SELECT");
        append_command(hello.commands, {"SELECT", std::to_string(options.database)});
    }
    // A stopped server still accepts connections (the kernel does), so being connected means having answered.
    hello.names.emplace_back("PING");
    append_command(hello.commands, {"PING"});
    if (options.mode == config::RedisMode::sentinel) { // what the sentinels said may be over
        hello.names.emplace_back("ROLE");
        append_command(hello.commands, {"ROLE"});
    }
    return hello;
}

// An ACL user limited to the commands the gateway needs (R20) may be refused PING: that is a sign of life too.
bool acceptable(std::string_view name, const Reply& reply) {
    if (name == "PING" && reply.kind == Reply::Kind::error) return reply.text.starts_with("NOPERM");
    if (name == "ROLE") return !reply.elements.empty() && reply.elements.front().text == "master";
    return reply.kind == Reply::Kind::status && reply.text == (name == "PING" ? "PONG" : "OK");
}

} // namespace

bool Connection::refuse(std::string reason) {
    last_error_ = attempt_expired_ ? "no answer within 1 s" : std::move(reason);
    return false;
}

void Connection::arm_connect_deadline() {
    attempt_expired_ = false;
    phase_timer_.expires_after(kConnectDeadline);
    phase_timer_.async_wait([self = shared_from_this(), attempt = ++attempt_](boost::system::error_code error) {
        if (error || attempt != self->attempt_) return;
        self->attempt_expired_ = true;
        self->resolver_.cancel();
        self->close_socket();
    });
}

Task<bool> Connection::connect() {
    arm_connect_deadline();
    bool ready = co_await locate();
    if (ready) ready = co_await open_socket(target_);
    if (ready) ready = co_await greet();
    ++attempt_; // a deadline that is already on its way to us no longer counts
    phase_timer_.cancel();
    if (!ready) close_socket();
    co_return ready && !stopped_;
}

// Without sentinels there is nothing to ask.
Task<bool> Connection::locate() {
    if (options_.mode != config::RedisMode::sentinel) {
        target_ = {options_.host, options_.port};
        co_return true;
    }
    std::vector<config::RedisHost> sentinels{{options_.host, options_.port}};
    sentinels.insert(sentinels.end(), options_.others.begin(), options_.others.end());
    const std::size_t first = sentinel_turn_++;
    for (std::size_t i = 0; i < sentinels.size() && !stopped_ && !attempt_expired_; ++i) {
        bool told = co_await open_socket(sentinels[(first + i) % sentinels.size()]);
        if (told) told = co_await ask_sentinel();
        close_socket();
        if (told) co_return true;
    }
    co_return false;
}

Task<bool> Connection::ask_sentinel() {
    std::string command;
    append_command(command, {"SENTINEL", "get-master-addr-by-name", options_.primary});
    reader_ = std::make_unique<ReplyReader>();
    const auto [error, written] = co_await asio::async_write(socket_, asio::buffer(command), kTuple);
    if (error) co_return refuse("cannot write to the sentinel: " + error.message());
    const std::optional<Reply> reply = co_await read_greeting();
    if (!reply) co_return false;
    const auto port = reply->elements.size() == 2 ? parse_decimal(reply->elements[1].text) : std::nullopt;
    if (!port || *port == 0 || *port > 65'535) co_return refuse("the sentinel knows no such primary");
    target_ = {reply->elements[0].text, static_cast<std::uint16_t>(*port)};
    co_return true;
}

Task<std::vector<asio::ip::tcp::endpoint>> Connection::resolve(const config::RedisHost& host) {
    std::vector<Tcp::endpoint> endpoints;
    boost::system::error_code no_address;
    const auto address = asio::ip::make_address(host.name, no_address);
    if (!no_address) {
        endpoints.emplace_back(address, host.port);
        co_return endpoints;
    }
    const auto flags = asio::ip::resolver_base::numeric_service;
    const auto [error, found] = co_await resolver_.async_resolve(host.name, std::to_string(host.port), flags, kTuple);
    if (error) {
        refuse("cannot resolve: " + error.message());
        co_return endpoints;
    }
    for (const auto& item : found) endpoints.push_back(item.endpoint());
    co_return endpoints;
}

Task<bool> Connection::open_socket(const config::RedisHost& host) {
    const std::vector<Tcp::endpoint> endpoints = co_await resolve(host);
    for (const Tcp::endpoint& endpoint : endpoints) {
        // The deadline closes a socket that is open; one opened after it would connect without any.
        if (stopped_ || attempt_expired_) break;
        close_socket();
        const auto [error] = co_await socket_.async_connect(endpoint, kTuple);
        if (error) {
            refuse("cannot connect: " + error.message());
            continue;
        }
        boost::system::error_code ignored; // a socket without these options still works
        socket_.set_option(Tcp::no_delay(true), ignored);
        boost::system::error_code failed;
        socket_.non_blocking(true, failed);
        if (!failed) co_return true;
        refuse("cannot use the socket: " + failed.message());
    }
    co_return false;
}

Task<bool> Connection::greet() {
    const Greeting hello = greeting(options_);
    reader_ = std::make_unique<ReplyReader>();
    const auto [error, written] = co_await asio::async_write(socket_, asio::buffer(hello.commands), kTuple);
    if (error) co_return refuse("cannot write: " + error.message());
    for (const std::string_view name : hello.names) {
        const std::optional<Reply> reply = co_await read_greeting();
        if (!reply) co_return false;
        if (!acceptable(name, *reply)) {
            co_return refuse(std::string(name) + ": " + reply->text.substr(0, kMaxErrorText));
        }
    }
    co_return true;
}

Task<std::optional<Reply>> Connection::read_greeting() {
    for (;;) {
        auto reply = reader_->next();
        if (reply && *reply) co_return std::move(*reply);
        if (!reply) {
            refuse("protocol error: " + reply.error());
            co_return std::nullopt;
        }
        const auto [error, size] = co_await socket_.async_read_some(asio::buffer(input_), kTuple);
        if (error) {
            refuse("cannot read: " + error.message());
            co_return std::nullopt;
        }
        // An error is remembered by the reader and comes back from next().
        static_cast<void>(reader_->feed({input_.data(), size}));
    }
}

} // namespace tollgate::redis
