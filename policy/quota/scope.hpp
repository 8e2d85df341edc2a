// Counters of one scope, and what a reservation does to them. Everything here is under the org's mutex.
#pragma once

#include "policy/quota/counter_store.hpp"
#include "policy/quota/debt_bucket.hpp"
#include "policy/quota/limits.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::policy::quota {

class LocalStore;
class Scope;

// What one budget spent in one period. Outlives the period while a reservation, open or reaped, may still settle here.
struct PeriodSlot {
    Nano spent = 0;
    Nano held = 0;
    std::uint32_t pins = 0;   // lines that point here
    std::uint8_t crossed = 0; // bit per threshold
    Period period{};
};

// One limit's usage. Its address is stable. What a decision reads comes first: two cache lines.
class Counter {
  public:
    Counter(const Scope& scope, LimitSpec spec, Moment now);
    Counter(const Counter&) = delete; // states point to names_
    Counter& operator=(const Counter&) = delete;

    // Keeps all usage; dimension and window must be the same.
    void edit(LimitSpec spec, Moment now);
    // Brings the current period and a raise that ended up to date. Call before state().
    void touch(Moment now) {
        if (raised_ || (dimension_ == Dimension::money && !(begin_ <= now.wall && now.wall < end_))) refresh(now);
    }
    [[nodiscard]] CounterState state(Moment now) const;
    void prefetch() const {
        __builtin_prefetch(this);
        __builtin_prefetch(reinterpret_cast<const char*>(this) + 64);
        __builtin_prefetch(reinterpret_cast<const char*>(this) + 128);
    }

    // spent := max(spent, given): safe to repeat, never adds up (limits-cache §2.5). `period` may lack its boundaries
    // unless it is of a rolling window.
    PeriodSlot& restore(const Period& period, Nano spent);
    [[nodiscard]] bool idle(Moment now) const; // indistinguishable from a new one
    // Adds the thresholds that `slot` has newly passed.
    void cross(PeriodSlot& slot, Moment now, std::vector<Crossing>& out);

    [[nodiscard]] Dimension dimension() const { return dimension_; }
    [[nodiscard]] const LimitNames& names() const { return names_; }
    [[nodiscard]] const PeriodSlot* slot_of(const std::string& period) const; // null: nothing spent there

    DebtBucket bucket;               // rates
    std::int64_t open = 0;           // concurrency
    PeriodSlot* current = nullptr;   // money, after touch()
    const void* last_call = nullptr; // the reservation that took the rest of the budget
    std::uint32_t pins = 0;          // lines of reservations, open or reaped

  private:
    Dimension dimension_;
    Mode mode_;
    bool shadow_;
    bool cut_ = false;
    bool raised_ = false; // a raise is configured
    std::int64_t limit_ = 0;
    WallTime begin_ = WallTime::max(); // of `current`
    WallTime end_ = WallTime::min();

  public:
    std::uint64_t would_deny = 0; // requests that only shadow mode let pass

  private:
    void configure(LimitSpec spec);
    void refresh(Moment now);
    void apply_rate(WallTime wall, TimePoint from);
    void follow_raise(Moment now);
    [[nodiscard]] std::int64_t limit_at(WallTime wall) const {
        return limit_ + (raised_ && wall < raise_.until ? raise_.extra : 0);
    }
    PeriodSlot& slot_for(Period period);
    void trim(WallTime wall);
    [[nodiscard]] Wide used_money(WallTime wall, Nano& held) const;

    Raise raise_{};
    std::optional<std::int64_t> burst_;
    std::shared_ptr<const PeriodRule> rule_;
    std::vector<std::unique_ptr<PeriodSlot>> slots_;
    std::uint8_t crossed_rolling_ = 0; // a rolling window has no period to forget it
    const std::string window_;
    const LimitNames names_;
};

// The configured counters of a scope. A few, as usual, lie in the scope's own cache line: one fetch less per request.
class CounterList {
  public:
    void assign(std::vector<Counter*> counters);
    [[nodiscard]] Counter* const* begin() const { return size_ <= near_.size() ? near_.data() : far_.data(); }
    [[nodiscard]] Counter* const* end() const { return begin() + size_; }

  private:
    std::size_t size_ = 0;
    std::array<Counter*, 6> near_{};
    std::vector<Counter*> far_; // all of them, if they are more
};

class alignas(64) Scope {
  public:
    Scope(LocalStore& store, std::string kind, std::string name);

    // Limits of the same dimension and window keep their counters, also if they were gone in between.
    void configure(ScopeSpec spec, Moment now);
    [[nodiscard]] bool idle(Moment now) const;
    [[nodiscard]] Counter* find(Dimension dimension, std::string_view window);

    LocalStore& store;  // this and the next are all that a decision reads
    CounterList active; // in the configuration's order
    const std::string kind;
    const std::string name;
    std::string contact;

  private:
    // One block per configuration that brought new limits, so that the limits of a scope lie side by side; all set.
    std::vector<std::vector<std::optional<Counter>>> blocks_;
};

} // namespace tollgate::policy::quota
