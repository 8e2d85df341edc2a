// Which stretch of time an amount counts for (limits-cache §2.2). The period's name is part of the counter's name: a
// new period is a new counter at zero, nothing is ever reset. Pure; time is an argument.
#pragma once

#include "gateway/base/time.hpp"
#include "policy/period/zone.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tollgate::policy {

enum class PeriodKind : std::uint8_t {
    hour, // of the zone's clock; where the clock goes back, the repeated hour is another one
    day,
    week,
    month,
    quarter,
    year,
    rolling, // `window` in `buckets` parts
    lifetime,
    fixed, // [from, to)
};

struct PeriodSpec {
    PeriodKind kind = PeriodKind::month;
    Zone zone;                                             // hour to year
    std::chrono::weekday week_start = std::chrono::Monday; // week
    unsigned anchor_day = 1;                               // month: 1 to 31, in shorter months their last day
    std::chrono::seconds window = std::chrono::hours(24);  // rolling
    unsigned buckets = 24;                                 // rolling
    WallTime from, to;                                     // fixed
};

// Why such a period cannot be; empty if it can.
[[nodiscard]] std::string problem_of(const PeriodSpec& spec);

// [start, end). The id is the same on every process, and differs between any two periods of any two specs: it holds the
// kind, its anchor, the zone and the start. Printable, without blanks: "month@31:Europe/Berlin:2026-02".
struct Period {
    std::string id;
    WallTime start, end;

    [[nodiscard]] bool contains(WallTime now) const noexcept { return start <= now && now < end; }
    friend bool operator==(const Period&, const Period&) = default;
};

// The period that holds `now`; for `rolling` the part of the window that does. Nothing only for `fixed` outside of its
// dates. A day with a change of the clock has 23 or 25 hours; a midnight that the clock leaves out is the first instant
// after the gap, a repeated one its first occurrence. `spec` must have no problem.
[[nodiscard]] std::optional<Period> period_at(const PeriodSpec& spec, WallTime now);

// What a rolling window adds up: the part that holds `now`, first, and the `buckets` before it. The window itself is
// always within them, so a limit holds for every stretch as long as the window: exceeded never. What was spent counts
// for up to one part longer than the window, never shorter. Empty for other kinds.
[[nodiscard]] std::vector<Period> rolling_parts(const PeriodSpec& spec, WallTime now);

// Remembers the current period: asked again within it, it only compares. One owner, not thread-safe.
class PeriodCursor {
  public:
    explicit PeriodCursor(PeriodSpec spec) : spec_(std::move(spec)) {}

    // Null only as period_at says; valid until the next call. `now` may go back.
    [[nodiscard]] const Period* at(WallTime now) {
        if (!current_ || !current_->contains(now)) current_ = period_at(spec_, now);
        return current_ ? &*current_ : nullptr;
    }
    [[nodiscard]] const PeriodSpec& spec() const noexcept { return spec_; }

  private:
    PeriodSpec spec_;
    std::optional<Period> current_;
};

} // namespace tollgate::policy
