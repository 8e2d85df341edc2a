#include "cache/refreshes.hpp"

#include <cstring>

namespace tollgate::cache {

std::size_t Refreshes::FirstOctets::operator()(const Key& key) const noexcept {
    std::size_t hash = 0;
    std::memcpy(&hash, key.data(), sizeof(hash)); // an HMAC: any octets do
    return hash;
}

void Refreshes::forget_pauses(TimePoint now) {
    std::erase_if(until_, [&](const auto& one) { return one.second <= now; });
}

bool Refreshes::begin(const Key& key, TimePoint now) {
    const std::lock_guard lock(mutex_);
    if (until_.size() >= kMost) forget_pauses(now);
    const auto found = until_.find(key);
    if (found != until_.end() ? found->second > now : until_.size() >= kMost) return false;
    until_[key] = kNever;
    return true;
}

void Refreshes::end(const Key& key, bool renewed, TimePoint now) {
    const std::lock_guard lock(mutex_);
    if (renewed)
        until_.erase(key);
    else
        until_[key] = now + kPause;
}

} // namespace tollgate::cache
