// A rate per minute as exact integer arithmetic that may go negative: debt is repaid by time, never forgiven.
#pragma once

#include "gateway/base/time.hpp"
#include "policy/quota/limits.hpp"

#include <cstdint>

namespace tollgate::policy::quota {

inline constexpr Wide kToken = 60'000'000'000; // units of one token: every nanosecond refills `rate` of them

// Pure arithmetic, not thread-safe. What is kept is what was used, in units, so a changed limit keeps the usage
// (limits-cache §1.1). A `now` earlier than the last one is read as the last one, as TokenBucket does and for its
// reason.
class DebtBucket {
  public:
    DebtBucket() = default; // of no use until reconfigure()
    // `rate` per minute, `capacity` at most; starts full. Both in [1, kMaxRate].
    DebtBucket(std::int64_t rate, std::int64_t capacity, TimePoint now);

    [[nodiscard]] Wide used(TimePoint now) const; // units; more than the capacity is debt
    // Unconditional; `amount` may be negative (a refund), which never leaves more than a full bucket.
    void charge(std::int64_t amount, TimePoint now);
    // A smaller capacity means an empty bucket, not debt; what was debt before stays debt.
    void reconfigure(std::int64_t rate, std::int64_t capacity, TimePoint now);

    [[nodiscard]] std::int64_t rate() const { return rate_; }
    [[nodiscard]] std::int64_t capacity() const { return capacity_; }
    // Counts the edits that forgave usage. A refund of something charged before the last one would be paid twice.
    [[nodiscard]] std::uint32_t forgiven() const { return forgiven_; }

  private:
    std::int64_t rate_ = 1;
    std::int64_t capacity_ = 1;
    TimePoint last_{};
    std::uint32_t forgiven_ = 0;
    Wide used_ = 0; // ≥ 0
};

// Time in which `rate` per minute refills `units`, rounded up; Duration::max() if it does not fit.
[[nodiscard]] Duration time_to_refill(Wide units, std::int64_t rate);

} // namespace tollgate::policy::quota
