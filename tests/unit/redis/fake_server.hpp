// A scripted Redis on loopback, on the io_context of the test. Must live as long as that runs.
#pragma once

#include "gateway/base/task.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tollgate::test {

class FakeServer {
  public:
    using Arguments = std::vector<std::string>;

    explicit FakeServer(asio::io_context& io);
    ~FakeServer();
    FakeServer(const FakeServer&) = delete;
    FakeServer& operator=(const FakeServer&) = delete;

    [[nodiscard]] std::uint16_t port() const;

    // What to write for a command, raw; empty: nothing. Null: default_answer().
    std::function<std::string(const Arguments&)> answer;
    // PING, AUTH, SELECT, ECHO, and GET and SET on `data`.
    std::string default_answer(const Arguments& command);
    // Raw octets to the latest connection.
    void send(std::string_view bytes);
    void close_connections();
    void stop_listening();
    static std::string bulk(std::string_view text);

    std::map<std::string, std::string> data;
    std::vector<Arguments> commands; // everything but PING
    std::vector<std::size_t> reads;  // octets that arrived together, after each greeting
    int connections = 0;

  private:
    struct Session;
    using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;
    Task<void> accept();
    Task<void> serve(std::shared_ptr<Session> session);
    Task<void> take(std::shared_ptr<Session> session);

    Acceptor acceptor_;
    std::vector<std::shared_ptr<Session>> sessions_;
};

} // namespace tollgate::test
