// Private to the Redis client: a connection to each primary of a cluster; a command goes to the one that has its key.
#pragma once

#include "cache/redis/connection.hpp"

#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace tollgate::redis {

inline constexpr std::size_t kSlots = 16'384;

// CRC16 of the key, or of what stands in its first braces.
[[nodiscard]] std::uint16_t slot_of(std::string_view key) noexcept;
// The first key of an encoded command; empty: it has none.
[[nodiscard]] std::string_view key_of(std::string_view encoded) noexcept;

class Cluster : public std::enable_shared_from_this<Cluster> {
  public:
    Cluster(asio::io_context& io, const config::Redis& options);

    void start();
    void stop();
    // A key that has moved is asked for again, once, where it is now.
    static Task<std::expected<Reply, Failure>> command(std::shared_ptr<Cluster> self, std::string encoded);
    void post(std::string encoded);

    [[nodiscard]] bool connected() const noexcept;
    [[nodiscard]] const ClientStats& stats() const noexcept;
    [[nodiscard]] const std::string& last_error() const noexcept;

  private:
    using Node = std::shared_ptr<Connection>;
    using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;

    static Task<void> run(std::shared_ptr<Cluster> self);
    Task<bool> learn(); // who has which slots, from any node that answers
    bool take(const Reply& slots, const std::string& asked_host);
    Node node_at(const std::string& host, std::uint16_t port);
    // "MOVED 3999 127.0.0.1:6381"; null if it is no redirection.
    Node follow(const Reply& reply, std::uint16_t slot);

    asio::io_context& io_;
    const config::Redis options_;
    Timer timer_;
    std::map<std::pair<std::string, std::uint16_t>, Node> nodes_;
    std::array<Node, kSlots> owners_;
    bool known_ = false;
    bool stopped_ = false;
    std::uint64_t homeless_ = 0; // commands for which there was nobody
    mutable ClientStats stats_;
    mutable std::string last_error_;
};

} // namespace tollgate::redis
