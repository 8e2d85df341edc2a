// Both cache tiers as one: memory of the process, then Redis. Knows keys and entries, no policy: whether a request may
// be looked up or stored is the caller's decision.
#pragma once

#include "cache/memory_cache.hpp"
#include "cache/redis/client.hpp"
#include "gateway/base/crypto.hpp"
#include "gateway/base/task.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace tollgate::cache {

enum class Tier : std::uint8_t { none, memory, redis };

struct Found {
    EntryPtr entry; // null: neither tier has it
    Tier tier = Tier::none;
    bool redis_error = false; // Redis was down, late or refused: the miss may not be a miss everywhere
};

struct StoreStats { // read by the worker's thread only
    std::uint64_t memory_hits = 0, redis_hits = 0, misses = 0;
    std::uint64_t stale = 0; // memory had only a stale entry, and Redis nothing newer
    std::uint64_t redis_errors = 0;
    std::uint64_t corrupt = 0;   // Redis values that did not open: altered, foreign, of another master secret
    std::uint64_t too_large = 0; // not stored
};

// One per worker, on its thread; outlives its tasks. The memory tier is shared by all workers.
class ResponseStore {
  public:
    // `client` may be null: memory only. `seal_key` is HKDF(master, "cache-seal/v1"). `max_entry`: octets of a body.
    ResponseStore(MemoryCache& memory, redis::Client* client, const crypto::Digest& seal_key, std::string prefix,
                  std::uint64_t max_entry);

    // Without suspension. Only what is fresh is counted, so that get() may follow.
    [[nodiscard]] EntryPtr get_memory(const Key& key, WallTime now);
    // Memory, then Redis within its timeout unless memory has a fresh one; of two the one that lasts longer, which may
    // be stale. A Redis hit goes into memory with its own created and expires.
    [[nodiscard]] Task<Found> get(Key key, WallTime now);
    // Redis alone, all keys at once; null for what it has not. Hits go into memory like those of get().
    [[nodiscard]] Task<std::vector<EntryPtr>> get_redis(std::vector<Key> keys, WallTime now);
    // Into memory now; to Redis without waiting. An entry that has expired or is too large is not stored.
    // `epoch`: of a lease (cache/flight_lease.hpp); Redis then refuses what a later holder's would be overwritten by.
    void put(const Key& key, EntryPtr entry, WallTime now, std::uint64_t epoch = 0);

    void drop_memory(const Key& key) { memory_.remove(key); } // what was purged
    [[nodiscard]] const std::string& prefix() const noexcept { return prefix_; }
    [[nodiscard]] const StoreStats& stats() const noexcept { return stats_; }

  private:
    [[nodiscard]] std::string redis_key(const Key& key) const;
    [[nodiscard]] Found from_redis(const Key& key, const std::expected<redis::Reply, redis::Failure>& reply,
                                   const Entry* mine, WallTime now);

    MemoryCache& memory_;
    redis::Client* const client_;
    const crypto::Digest seal_key_;
    const std::string prefix_;
    const std::uint64_t max_entry_;
    StoreStats stats_;
};

} // namespace tollgate::cache
