// Which question an Idempotency-Key stands for, so that a repeated one is never a different one (limits-cache §3.7).
#pragma once

#include "cache/entry.hpp"
#include "gateway/base/time.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <deque>
#include <mutex>
#include <unordered_map>

namespace tollgate::cache {

// Of this process. Thread-safe, sharded, bounded: beyond it the oldest keys are forgotten.
class IdempotencyKeys {
  public:
    static constexpr Duration kRemembered = std::chrono::hours(24);
    static constexpr std::size_t kMost = 65'536;

    // From the first time on, `key` (tenant scope and header, digested) stands for `question` (the cache's key) for a
    // day. False: it stands for another one.
    [[nodiscard]] bool claim(const Key& key, const Key& question, TimePoint now);
    [[nodiscard]] std::size_t size() const;

  private:
    struct FirstOctets {
        std::size_t operator()(const Key& key) const noexcept;
    };
    struct Shard {
        mutable std::mutex mutex;
        std::unordered_map<Key, Key, FirstOctets> questions;
        struct Age {
            Key key;
            TimePoint until;
        };
        std::deque<Age> ages; // oldest first; one for each of the above
    };
    static constexpr std::size_t kShards = 16;

    std::array<Shard, kShards> shards_;
};

} // namespace tollgate::cache
