#include "policy/failed_keys.hpp"

#include <functional>

namespace tollgate::policy {

template <class Key, class Value>
Value* FailedKeys::Recent<Key, Value>::find(const Key& key) {
    const auto found = places.find(key);
    if (found == places.end()) return nullptr;
    order.splice(order.begin(), order, found->second);
    return &order.front().second;
}

template <class Key, class Value>
Value& FailedKeys::Recent<Key, Value>::insert(const Key& key, Value value, std::size_t most) {
    if (order.size() >= most) {
        places.erase(order.back().first);
        order.pop_back();
    }
    order.emplace_front(key, std::move(value));
    places.emplace(key, order.begin());
    return order.front().second;
}

FailedKeys::Shard& FailedKeys::shard_of(const Source& source) noexcept {
    unsigned mixed = 0;
    for (const std::uint8_t octet : source) mixed = mixed * 31 + octet;
    return shards_[mixed % shards_.size()];
}

TokenBucket& FailedKeys::bucket(Shard& shard, const Source& source, std::uint64_t per_minute, TimePoint now) const {
    if (TokenBucket* const known = shard.failures.find(source)) {
        if (known->rate() != per_minute) known->reconfigure(per_minute, per_minute, now);
        return *known;
    }
    return shard.failures.insert(source, TokenBucket(per_minute, per_minute, now), most_sources_);
}

Duration FailedKeys::failed(const Source& source, std::uint64_t per_minute, TimePoint now) {
    Shard& shard = shard_of(source);
    const std::lock_guard lock(shard.mutex);
    TokenBucket& failures = bucket(shard, source, per_minute, now);
    if (!failures.would_admit(now)) return failures.until_next(now);
    failures.take(now);
    return Duration::zero();
}

Duration FailedKeys::succeeded(const Source& source, std::string_view key_id, std::uint64_t per_minute, TimePoint now) {
    const Pair pair{source, std::hash<std::string_view>{}(key_id)};
    Shard& shard = shard_of(source);
    const std::lock_guard lock(shard.mutex);
    if (shard.passed.find(pair) != nullptr) return Duration::zero();
    if (const TokenBucket* const failures = shard.failures.find(source); failures != nullptr) {
        const TokenBucket& current = bucket(shard, source, per_minute, now);
        if (!current.would_admit(now)) return current.until_next(now);
    }
    shard.passed.insert(pair, {}, most_pairs_);
    return Duration::zero();
}

} // namespace tollgate::policy
