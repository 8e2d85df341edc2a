#include "tests/unit/redis/fake_server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <optional>

namespace tollgate::test {
namespace {

using Tcp = asio::ip::tcp;
constexpr auto kTuple = asio::as_tuple(UseTask{});

// One command from the front of a buffer; nothing if it is not complete. Trusts its only client, the one under test.
std::optional<FakeServer::Arguments> take_command(std::string& input) {
    std::size_t at = 0;
    const auto number = [&]() -> std::optional<std::size_t> {
        const std::size_t end = input.find("\r\n", at);
        if (end == std::string::npos) return std::nullopt;
        const std::size_t value = std::stoul(input.substr(at + 1, end - at - 1));
        at = end + 2;
        return value;
    };
    FakeServer::Arguments arguments;
    const auto count = number();
    for (std::size_t i = 0; count && i < *count; ++i) {
        const auto length = number();
        if (!length || input.size() < at + *length + 2) return std::nullopt;
        arguments.push_back(input.substr(at, *length));
        at += *length + 2;
    }
    if (!count) return std::nullopt;
    input.erase(0, at);
    return arguments;
}

} // namespace

struct FakeServer::Session {
    explicit Session(asio::basic_stream_socket<Tcp, Executor> connected) : socket(std::move(connected)) {}
    asio::basic_stream_socket<Tcp, Executor> socket;
    std::string input;
    bool greeted = false;
};

FakeServer::FakeServer(asio::io_context& io) : acceptor_(io, Tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    asio::co_spawn(io, accept(), asio::detached);
}

FakeServer::~FakeServer() {
    close_connections();
}

std::uint16_t FakeServer::port() const {
    return acceptor_.local_endpoint().port();
}

Task<void> FakeServer::accept() {
    for (;;) {
        auto [error, socket] = co_await acceptor_.async_accept(kTuple);
        if (error) co_return;
        ++connections;
        auto session = std::make_shared<Session>(std::move(socket));
        sessions_.push_back(session);
        asio::co_spawn(acceptor_.get_executor(), serve(session), asio::detached);
    }
}

Task<void> FakeServer::serve(std::shared_ptr<Session> session) {
    std::vector<char> buffer(1 << 20);
    for (;;) {
        const auto [error, size] = co_await session->socket.async_read_some(asio::buffer(buffer), kTuple);
        if (error) co_return;
        if (session->greeted) reads.push_back(size);
        session->input.append(buffer.data(), size);
        co_await take(session);
    }
}

Task<void> FakeServer::take(std::shared_ptr<Session> session) {
    while (const auto command = take_command(session->input)) {
        if (command->front() == "PING") {
            session->greeted = true;
        } else {
            commands.push_back(*command);
        }
        const std::string out = answer ? answer(*command) : default_answer(*command);
        // Not a blocking write: the reader of a long answer is on this thread too.
        const auto [gone, written] = co_await asio::async_write(session->socket, asio::buffer(out), kTuple);
        if (gone) co_return;
    }
}

std::string FakeServer::default_answer(const Arguments& command) {
    const std::string& name = command.front();
    if (name == "PING") return "+PONG\r\n";
    if (name == "AUTH" || name == "SELECT") return "+OK\r\n";
    if (name == "ECHO") return bulk(command.at(1));
    if (name == "SET") {
        data[command.at(1)] = command.at(2);
        return "+OK\r\n";
    }
    if (name == "GET") {
        const auto found = data.find(command.at(1));
        return found == data.end() ? "$-1\r\n" : bulk(found->second);
    }
    if (name == "MGET") {
        std::string out = "*" + std::to_string(command.size() - 1) + "\r\n";
        for (std::size_t i = 1; i < command.size(); ++i) out += default_answer({"GET", command[i]});
        return out;
    }
    return "-ERR unknown command\r\n";
}

void FakeServer::send(std::string_view bytes) {
    boost::system::error_code gone; // the client noticing first is part of some tests
    asio::write(sessions_.back()->socket, asio::buffer(bytes), gone);
}

void FakeServer::close_connections() {
    for (const auto& session : sessions_) {
        boost::system::error_code ignored;
        session->socket.close(ignored);
    }
    sessions_.clear();
}

void FakeServer::stop_listening() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
}

std::string FakeServer::bulk(std::string_view text) {
    return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

} // namespace tollgate::test
