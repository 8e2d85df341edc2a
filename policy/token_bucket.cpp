#include "policy/token_bucket.hpp"

#include <algorithm>
#include <stdexcept>

namespace tollgate::policy {
namespace {

void require_positive(std::uint64_t rate, std::uint64_t capacity) {
    if (rate == 0 || capacity == 0) throw std::invalid_argument("a rate limit needs a rate and a burst of at least 1");
}

} // namespace

TokenBucket::TokenBucket(std::uint64_t rate, std::uint64_t capacity, TimePoint now)
    : rate_(rate), capacity_(capacity), last_(now) {
    require_positive(rate, capacity);
}

TokenBucket::Wide TokenBucket::used_at(TimePoint now) const {
    if (now <= last_) return used_;
    // Unsigned subtraction: the distance of any two time points fits 64 bits, even where the signed one would not.
    const std::uint64_t elapsed = static_cast<std::uint64_t>(now.time_since_epoch().count()) -
                                  static_cast<std::uint64_t>(last_.time_since_epoch().count());
    const Wide refill = Wide{elapsed} * rate_;
    return used_ > refill ? used_ - refill : 0;
}

Duration TokenBucket::time_for(Wide units) const {
    const Wide nanoseconds = (units + rate_ - 1) / rate_;
    const Wide longest = static_cast<Wide>(Duration::max().count());
    return Duration(static_cast<Duration::rep>(std::min(nanoseconds, longest)));
}

bool TokenBucket::would_admit(TimePoint now) const {
    return used_at(now) + kToken <= full();
}

void TokenBucket::take(TimePoint now) {
    used_ = used_at(now) + kToken;
    last_ = std::max(last_, now);
}

std::uint64_t TokenBucket::remaining(TimePoint now) const {
    return static_cast<std::uint64_t>((full() - used_at(now)) / kToken);
}

Duration TokenBucket::until_next(TimePoint now) const {
    const Wide needed = used_at(now) + kToken;
    return needed <= full() ? Duration::zero() : time_for(needed - full());
}

Duration TokenBucket::until_more(TimePoint now) const {
    const Wide used = used_at(now);
    if (used == 0) return Duration::zero();
    const Wide part = used % kToken;
    return time_for(part == 0 ? kToken : part);
}

Duration TokenBucket::until_full(TimePoint now) const {
    return time_for(used_at(now));
}

std::uint64_t TokenBucket::rate() const {
    return rate_;
}

std::uint64_t TokenBucket::capacity() const {
    return capacity_;
}

void TokenBucket::reconfigure(std::uint64_t rate, std::uint64_t capacity, TimePoint now) {
    require_positive(rate, capacity);
    used_ = used_at(now); // at the old rate: that much had been earned
    last_ = std::max(last_, now);
    rate_ = rate;
    capacity_ = capacity;
    used_ = std::min(used_, full());
}

} // namespace tollgate::policy
