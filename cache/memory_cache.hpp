// The memory tier: S3-FIFO (SOSP'23), byte-accounted, sharded; lookups copy one pointer under a shard mutex.
#pragma once

#include "cache/entry.hpp"

#include <cstdint>
#include <memory>

namespace tollgate::cache {

struct MemoryStats {
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0; // accounted, overhead included
    std::uint64_t capacity = 0;
    std::uint64_t evicted_size = 0;
    std::uint64_t evicted_ttl = 0;
    std::uint64_t evicted_purge = 0;
};

// Thread-safe. Holds at most `capacity` accounted bytes (within 10 % of what the process really spends).
class MemoryCache {
  public:
    explicit MemoryCache(std::uint64_t capacity_bytes);
    ~MemoryCache();
    MemoryCache(const MemoryCache&) = delete;
    MemoryCache& operator=(const MemoryCache&) = delete;

    // Null if absent or not kept any more at `now`; what is kept may be stale.
    [[nodiscard]] EntryPtr get(const Key& key, WallTime now);
    void put(const Key& key, EntryPtr entry, WallTime now);
    void remove(const Key& key); // as purged
    void clear();                // the same of all
    // Evicts, in the order any eviction has, until at most `bytes` are accounted. For a process short of memory.
    void shrink_to(std::uint64_t bytes, WallTime now);
    [[nodiscard]] MemoryStats stats() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace tollgate::cache
