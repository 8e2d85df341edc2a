// The pipelined Redis connection of one worker, or those to a cluster's primaries: commands of a loop turn leave in one
// write, replies come in order. Down or slow means "no answer" to the caller, within the timeout, never an exception
// and never a longer wait.
#pragma once

#include "cache/redis/resp.hpp"
#include "config/config.hpp"
#include "gateway/base/task.hpp"
#include "gateway/base/time.hpp"

#include <expected>
#include <functional>
#include <memory>
#include <string>

namespace tollgate::redis {

enum class Failure : std::uint8_t { down, timeout, protocol };

struct ClientStats { // read by the worker's thread only
    std::uint64_t ok = 0, errors = 0, timeouts = 0, connects = 0;
};

// All members on the worker's thread. Connects in the background with back-off (50 ms … 2 s); while down, commands
// fail at once. "Connected" means that AUTH, SELECT and PING were answered. At most 4,096 outstanding commands and 64
// MiB queued; beyond that `down`.
class Client {
  public:
    Client(asio::io_context& io, const config::Redis& options);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    void start();
    // Stops connecting and fails what is outstanding; call before the io_context goes away.
    void stop();

    // Waits for the reply or options.timeout, whichever is first. An error reply is a Reply of kind error.
    [[nodiscard]] Task<std::expected<Reply, Failure>> command(std::string encoded);
    // Fire and forget: the reply is counted and dropped.
    void post(std::string encoded);

    [[nodiscard]] bool connected() const noexcept;
    // Of a cluster: one command may not name several keys.
    [[nodiscard]] bool keys_are_spread() const noexcept;
    [[nodiscard]] const ClientStats& stats() const noexcept;
    // Why the last attempt or connection failed, for logs; empty while all is well. Holds no secret of ours, but may
    // quote up to 200 octets of the server.
    [[nodiscard]] const std::string& last_error() const noexcept;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

} // namespace tollgate::redis
