// Idle upstream connections of one worker. A pooled connection keeps its read armed, so one that the provider closes,
// or that speaks out of turn, is noticed and dropped the moment it happens (case 287).
#pragma once

#include "gateway/net/channel.hpp"
#include "gateway/net/permits.hpp"

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace tollgate::upstream {

class Pool {
  public:
    static constexpr std::size_t kMaxIdle = 512;                // per provider
    static constexpr auto kIdleLife = std::chrono::seconds(30); // below what providers allow, so that we close first

    // However busy: what was verified and resolved when it was opened may not hold any more.
    static constexpr auto kMaxAge = std::chrono::minutes(10);

    // `permits` bounds the idle connections of all pools together and outlives them.
    explicit Pool(net::Permits& permits);
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;
    // The most recently used idle connection, or null.
    [[nodiscard]] net::ChannelPtr take(const std::string& key);
    // `channel` finished a complete exchange and has no octets waiting and is younger than kMaxAge; anything else is
    // closed.
    void put(const std::string& key, net::ChannelPtr channel);
    void close_all();
    [[nodiscard]] std::size_t idle(const std::string& key) const;

  private:
    static bool usable(const net::Channel& channel) noexcept;
    struct Idle;
    using Stack = std::vector<std::unique_ptr<Idle>>;
    void forget(const std::string& key, const Idle* which);

    net::Permits& permits_;
    std::unordered_map<std::string, Stack> idle_;
};

} // namespace tollgate::upstream
