// Which of several processes makes a call that all of them are asked for: a lease in Redis with a number that only
// grows, so that a holder that was away cannot overwrite what its successor kept (limits-cache §3.7).
#pragma once

#include "cache/entry.hpp"
#include "cache/redis/client.hpp"
#include "cache/redis/subscriber.hpp"
#include "gateway/base/task.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace tollgate::cache {

// One per worker, on its thread; outlives its tasks.
class FlightLeases {
  public:
    static constexpr auto kLease = std::chrono::milliseconds(3'000); // of a holder that died
    static constexpr auto kRenewal = std::chrono::milliseconds(1'000);
    static constexpr auto kParted = std::chrono::milliseconds(60'000);

    // `client` outlives this.
    FlightLeases(asio::io_context& io, redis::Client& client, const config::Redis& options);

    void start() { news_.start(); }
    void stop() { news_.stop(); }

    enum class Turn : std::uint8_t {
        mine,
        others,   // another process makes the call now
        answered, // an answer is kept: look before you ask again
        parted,   // answers to this question are not kept: each process asks by itself
        unknown,  // Redis does not tell: as if there were no other process
    };
    struct Claim {
        Turn turn = Turn::unknown;
        std::uint64_t epoch = 0; // with `mine`: what store and release are given
    };
    // Within the client's timeout. `unless_answered`: false if what is kept is known and does not suit.
    [[nodiscard]] Task<Claim> claim(Key key, bool unless_answered);
    // Without waiting. An epoch that is not the holder's changes nothing. `part`: the answer could not be kept.
    void renew(const Key& key, std::uint64_t epoch);
    void release(const Key& key, std::uint64_t epoch, bool part);

    // Whether there is a connection over which news come.
    [[nodiscard]] bool hears() const noexcept { return news_.connected(); }
    // Told when another process has kept an answer or given its lease back: claim again then. News may be lost with a
    // connection, so that who waits also looks from time to time.
    [[nodiscard]] redis::Subscription news_of(const Key& key, redis::ChannelListener& listener);

    // An Idempotency-Key stands for one question at all processes, for a day. False: for another one. True also where
    // Redis does not tell.
    [[nodiscard]] Task<bool> name_question(Key idempotency_key, Key question);

  private:
    redis::Client& client_;
    redis::Subscriber news_;
    const std::string prefix_;
};

} // namespace tollgate::cache
