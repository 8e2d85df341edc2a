#include "cache/idempotency.hpp"

#include <cstring>

namespace tollgate::cache {

std::size_t IdempotencyKeys::FirstOctets::operator()(const Key& key) const noexcept {
    std::size_t hash = 0;
    std::memcpy(&hash, key.data(), sizeof hash);
    return hash;
}

bool IdempotencyKeys::claim(const Key& key, const Key& question, TimePoint now) {
    Shard& shard = shards_[key.back() % kShards];
    const std::scoped_lock lock(shard.mutex);
    while (!shard.ages.empty() && shard.ages.front().until <= now) {
        shard.questions.erase(shard.ages.front().key);
        shard.ages.pop_front();
    }
    const auto [known, fresh] = shard.questions.try_emplace(key, question);
    if (!fresh) return known->second == question;
    shard.ages.push_back({key, now + kRemembered});
    if (shard.ages.size() > kMost / kShards) {
        shard.questions.erase(shard.ages.front().key);
        shard.ages.pop_front();
    }
    return true;
}

std::size_t IdempotencyKeys::size() const {
    std::size_t all = 0;
    for (const Shard& shard : shards_) {
        const std::scoped_lock lock(shard.mutex);
        all += shard.questions.size();
    }
    return all;
}

} // namespace tollgate::cache
