#include "policy/quota/debt_bucket.hpp"

#include <algorithm>

namespace tollgate::policy::quota {

DebtBucket::DebtBucket(std::int64_t rate, std::int64_t capacity, TimePoint now)
    : rate_(rate), capacity_(capacity), last_(now) {}

Wide DebtBucket::used(TimePoint now) const {
    if (now <= last_ || used_ == 0) return used_;
    const Wide elapsed = Wide{now.time_since_epoch().count()} - last_.time_since_epoch().count();
    return std::max<Wide>(0, used_ - elapsed * rate_);
}

void DebtBucket::charge(std::int64_t amount, TimePoint now) {
    used_ = std::max<Wide>(0, used(now) + amount * kToken);
    last_ = std::max(last_, now);
}

void DebtBucket::reconfigure(std::int64_t rate, std::int64_t capacity, TimePoint now) {
    used_ = used(now); // at the old rate: that much had been earned
    last_ = std::max(last_, now);
    const Wide debt = std::max<Wide>(0, used_ - capacity_ * kToken);
    rate_ = rate;
    capacity_ = capacity;
    const Wide most = capacity * kToken + debt;
    if (used_ <= most) return;
    used_ = most;
    ++forgiven_;
}

Duration time_to_refill(Wide units, std::int64_t rate) {
    const Wide nanoseconds = (units + rate - 1) / rate;
    return Duration(static_cast<Duration::rep>(std::min<Wide>(nanoseconds, Duration::max().count())));
}

} // namespace tollgate::policy::quota
