// Guessing keys is slow (R38, case 260): failures are counted per source address, and a source over its limit may only
// use keys that it has used before. So a guesser cannot learn whether a guess was right, and an application that shares
// the guesser's address keeps working.
#pragma once

#include "gateway/base/time.hpp"
#include "policy/token_bucket.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

namespace tollgate::policy {

// Thread-safe; sharded by source, so that workers behind one load balancer do not queue for one mutex. Bounded: the
// sources and the (source, key) pairs seen last are known; an attack from more sources than that is not one source's.
class FailedKeys {
  public:
    using Source = std::array<std::uint8_t, 16>; // see net::source_of

    // Entries of each kind in each of the 16 shards.
    explicit FailedKeys(std::size_t sources = 512, std::size_t pairs = 4096)
        : most_sources_(sources), most_pairs_(pairs) {}

    // Zero: this failure is within `per_minute`. Else the wait until the next one would be.
    [[nodiscard]] Duration failed(const Source& source, std::uint64_t per_minute, TimePoint now);
    // Zero: the key may pass. Else its source is over the limit and has not used this key lately.
    [[nodiscard]] Duration succeeded(const Source& source, std::string_view key_id, std::uint64_t per_minute,
                                     TimePoint now);

  private:
    using Pair = std::pair<Source, std::uint64_t>; // of a source and the hash of a key id

    // The keys touched last, newest first, each with a value.
    template <class Key, class Value>
    struct Recent {
        std::list<std::pair<Key, Value>> order;
        std::map<Key, typename std::list<std::pair<Key, Value>>::iterator> places;

        Value* find(const Key& key);
        Value& insert(const Key& key, Value value, std::size_t most);
    };
    struct Shard {
        std::mutex mutex;
        Recent<Source, TokenBucket> failures;
        Recent<Pair, char> passed;
    };

    [[nodiscard]] Shard& shard_of(const Source& source) noexcept;
    [[nodiscard]] TokenBucket& bucket(Shard& shard, const Source& source, std::uint64_t per_minute,
                                      TimePoint now) const;

    const std::size_t most_sources_;
    const std::size_t most_pairs_;
    std::array<Shard, 16> shards_;
};

} // namespace tollgate::policy
