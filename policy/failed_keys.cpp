#include "policy/failed_keys.hpp"

#include <algorithm>
#include <functional>

namespace tollgate::policy {

FailedKeys::Entry& FailedKeys::entry(const Source& source, std::uint64_t per_minute, TimePoint now) {
    const auto found = by_source_.find(source);
    if (found != by_source_.end()) {
        entries_.splice(entries_.begin(), entries_, found->second);
        Entry& known = entries_.front();
        if (known.failures.rate() != per_minute) known.failures.reconfigure(per_minute, per_minute, now);
        return known;
    }
    if (entries_.size() >= capacity_) {
        by_source_.erase(entries_.back().source);
        entries_.pop_back();
    }
    entries_.push_front(Entry{.source = source, .failures = TokenBucket(per_minute, per_minute, now)});
    by_source_.emplace(source, entries_.begin());
    return entries_.front();
}

Duration FailedKeys::failed(const Source& source, std::uint64_t per_minute, TimePoint now) {
    const std::lock_guard lock(mutex_);
    TokenBucket& failures = entry(source, per_minute, now).failures;
    if (!failures.would_admit(now)) return failures.until_next(now);
    failures.take(now);
    return Duration::zero();
}

Duration FailedKeys::succeeded(const Source& source, std::string_view key_id, std::uint64_t per_minute, TimePoint now) {
    const std::lock_guard lock(mutex_);
    Entry& from = entry(source, per_minute, now);
    const std::uint64_t id = std::hash<std::string_view>{}(key_id) | 1; // 0 is an empty place
    const auto place = std::ranges::find(from.known, id);
    if (place == from.known.end() && !from.failures.would_admit(now)) return from.failures.until_next(now);
    std::rotate(from.known.begin(), place == from.known.end() ? from.known.end() - 1 : place,
                place == from.known.end() ? from.known.end() : place + 1);
    from.known.front() = id;
    return Duration::zero();
}

} // namespace tollgate::policy
