// Counters of one scope, and what a reservation does to them. Everything here is under the org's mutex.
#pragma once

#include "policy/quota/counter_store.hpp"
#include "policy/quota/debt_bucket.hpp"
#include "policy/quota/limits.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tollgate::policy::quota {

class LocalStore;
class Scope;

// What one budget spent in one period. Outlives the period while a reservation, open or reaped, may still settle here.
struct PeriodSlot {
    Period period;
    Nano spent = 0;
    Nano held = 0;
    std::uint8_t crossed = 0; // bit per threshold
    std::uint32_t pins = 0;   // lines that point here
};

// One limit's usage. Its address is stable.
class Counter {
  public:
    Counter(const Scope& scope, LimitSpec spec, Moment now);

    // Keeps all usage; dimension and window must be the same.
    void edit(LimitSpec spec, Moment now);
    // Brings the current period and a raise that ended up to date. Call before state().
    void touch(Moment now);
    [[nodiscard]] CounterState state(Moment now) const;

    // spent := max(spent, given): safe to repeat, never adds up (limits-cache §2.5). `period` may lack its boundaries
    // unless it is of a rolling window.
    PeriodSlot& restore(const Period& period, Nano spent);
    [[nodiscard]] bool idle(Moment now) const; // indistinguishable from a new one
    // Adds the thresholds that `slot` has newly passed.
    void cross(PeriodSlot& slot, Moment now, std::vector<Crossing>& out);
    [[nodiscard]] std::int64_t limit_at(WallTime wall) const;

    [[nodiscard]] const LimitSpec& spec() const { return spec_; }
    [[nodiscard]] const Scope& scope() const { return scope_; }
    [[nodiscard]] const std::string& window() const { return window_; }
    [[nodiscard]] const PeriodSlot* slot_of(const std::string& period) const; // null: nothing spent there

    DebtBucket bucket;               // rates
    std::int64_t open = 0;           // concurrency
    PeriodSlot* current = nullptr;   // money, after touch()
    const void* last_call = nullptr; // the reservation that took the rest of the budget
    std::uint32_t pins = 0;          // lines of reservations, open or reaped
    std::uint64_t would_deny = 0;    // requests that only shadow mode let pass

  private:
    void apply_rate(WallTime wall, TimePoint from);
    void follow_raise(Moment now);
    PeriodSlot& slot_for(Period period);
    void trim(WallTime wall);
    [[nodiscard]] Wide used_money(WallTime wall, Nano& held) const;

    const Scope& scope_;
    const std::string window_; // read through views without the mutex
    LimitSpec spec_;
    std::vector<std::unique_ptr<PeriodSlot>> slots_;
    std::uint8_t crossed_rolling_ = 0; // a rolling window has no period to forget it
};

class Scope {
  public:
    Scope(LocalStore& store, std::string kind, std::string name);

    // Limits of the same dimension and window keep their counters, also if they were gone in between.
    void configure(ScopeSpec spec, Moment now);
    [[nodiscard]] bool idle(Moment now) const;
    [[nodiscard]] Counter* find(Dimension dimension, std::string_view window) const;

    LocalStore& store;
    const std::string kind;
    const std::string name;
    std::string contact;
    std::vector<Counter*> active; // configured ones, in the configuration's order

  private:
    std::vector<std::unique_ptr<Counter>> counters_;
};

} // namespace tollgate::policy::quota
