// Private to the Redis client: the connection behind Client, co-owned by its coroutine and its pending handlers.
#pragma once

#include "cache/redis/client.hpp"
#include "cache/redis/reply_queue.hpp"

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <array>
#include <random>
#include <vector>

namespace tollgate::redis {

// Every handler and coroutine holds a shared pointer to it, so stop() needs to wait for nobody. A command's coroutine
// holds none while it waits (see Waiter), so there is no cycle that outlives the io_context.
class Connection : public std::enable_shared_from_this<Connection> {
  public:
    // Of one that has subscribed: commands are not answered one by one, and every reply goes to `reply`, which stops
    // nothing. `connected` comes with every new connection.
    struct Listening {
        std::function<void()> connected;
        std::function<void(const Reply&)> reply;
    };
    Connection(asio::io_context& io, const config::Redis& options, Listening listening = {});

    void start();
    void stop();
    static Task<std::expected<Reply, Failure>> command(std::shared_ptr<Connection> self, std::string encoded);
    void post(std::string_view encoded);

    [[nodiscard]] bool connected() const noexcept { return connected_; }
    [[nodiscard]] const ClientStats& stats() const noexcept { return stats_; }
    [[nodiscard]] const std::string& last_error() const noexcept { return last_error_; }

  private:
    using Tcp = asio::ip::tcp;
    using Socket = asio::basic_stream_socket<Tcp, Executor>;
    using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;
    using Resolver = asio::ip::basic_resolver<Tcp, Executor>;

    static Task<void> run(std::shared_ptr<Connection> self);

    // connecting.cpp: false with last_error_ set, or true with an authenticated connection that answers.
    Task<bool> connect();
    Task<bool> locate(); // sets target_
    Task<bool> ask_sentinel();
    Task<std::vector<Tcp::endpoint>> resolve(const config::RedisHost& host);
    Task<bool> open_socket(const config::RedisHost& host);
    Task<bool> greet();
    Task<std::optional<Reply>> read_greeting();
    void arm_connect_deadline();
    bool refuse(std::string reason);

    // Commands and their replies.
    bool enqueue(std::string_view encoded, WaiterPtr waiter);
    void flush();
    void write_rest(std::size_t written);
    Task<void> read_replies();
    bool deliver(std::string_view bytes); // false: the connection is over
    void arm_reply_timer();
    void on_reply_timer();
    void disconnect();
    void close_socket();
    void fail_all(Failure failure);
    Duration pause();

    asio::io_context& io_;
    const config::Redis options_;
    const Listening listening_;
    config::RedisHost target_;
    std::size_t sentinel_turn_ = 0; // one that does not answer must not be the first again
    Socket socket_;
    Resolver resolver_;
    Timer phase_timer_; // connect deadline or back-off
    Timer reply_timer_;
    TimePoint reply_timer_at_ = kNever; // kNever: not armed
    std::array<char, 64 << 10> input_{};
    std::unique_ptr<ReplyReader> reader_;
    ReplyQueue queue_;
    std::string output_;           // commands of this loop turn
    std::string writing_;          // what the kernel did not take at once
    std::uint64_t generation_ = 0; // of the connection; handlers of an older one do nothing
    std::uint64_t attempt_ = 0;    // of connecting; 0 is none
    bool attempt_expired_ = false;
    bool started_ = false;
    bool stopped_ = false;
    bool connected_ = false;
    bool flush_posted_ = false;
    bool write_pending_ = false;
    Failure failure_ = Failure::down; // what the commands of a broken connection are told
    Duration last_pause_{};
    std::minstd_rand random_;
    ClientStats stats_;
    std::string last_error_;
};

} // namespace tollgate::redis
