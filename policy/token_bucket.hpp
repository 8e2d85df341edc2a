// Requests per minute as exact integer arithmetic: no rounding, no drift, time is an argument (limits-cache §1.1).
#pragma once

#include "gateway/base/time.hpp"

#include <cstdint>

namespace tollgate::policy {

// Pure arithmetic. One token is 60·10⁹ units and every nanosecond refills `rate` units, so any rate is exact. What is
// kept is what was *used*, not what is left, so a changed limit keeps the usage. Not thread-safe.
//
// A `now` earlier than the last one is read as the last one: clocks read by two threads may arrive in either order, and
// rewinding would let a stale reading be refilled twice.
class TokenBucket {
  public:
    // `rate` tokens per minute, `capacity` tokens at most; starts full. Throws std::invalid_argument if either is 0.
    TokenBucket(std::uint64_t rate, std::uint64_t capacity, TimePoint now);

    [[nodiscard]] bool would_admit(TimePoint now) const;        // at least one whole token
    void take(TimePoint now);                                   // precondition: would_admit(now)
    [[nodiscard]] std::uint64_t remaining(TimePoint now) const; // whole tokens
    [[nodiscard]] Duration until_next(TimePoint now) const;     // zero if would_admit; rounded up
    [[nodiscard]] Duration until_more(TimePoint now) const;     // until remaining() is one larger; zero if full
    [[nodiscard]] Duration until_full(TimePoint now) const;     // Duration::max() if it does not fit
    [[nodiscard]] std::uint64_t rate() const;
    [[nodiscard]] std::uint64_t capacity() const;
    // New limits on reload; what was used stays used, up to the new capacity: lowering 6,000/min to 60/min means an
    // empty bucket, not 99 minutes of debt. Throws as the constructor does, with nothing changed.
    void reconfigure(std::uint64_t rate, std::uint64_t capacity, TimePoint now);

  private:
    __extension__ using Wide = unsigned __int128;
    static constexpr Wide kToken = 60'000'000'000; // nanoseconds of a minute

    [[nodiscard]] Wide used_at(TimePoint now) const;
    [[nodiscard]] Wide full() const { return Wide{capacity_} * kToken; }
    [[nodiscard]] Duration time_for(Wide units) const; // ceil(units / rate)

    std::uint64_t rate_;
    std::uint64_t capacity_;
    TimePoint last_;
    Wide used_ = 0; // ≤ full()
};

} // namespace tollgate::policy
