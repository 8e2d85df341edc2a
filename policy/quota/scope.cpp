#include "policy/quota/scope.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace tollgate::policy::quota {
namespace {

constexpr std::array kThresholds{50, 80, 90, 100};
// Ended periods kept although nothing refers to them: a wall clock set back finds its spend again.
constexpr std::size_t kKeptSlots = 4;
constexpr auto kLongestLook = std::chrono::hours(24);

bool counts(const PeriodSlot& slot, const PeriodSlot* current, WallTime wall) {
    return &slot == current || (slot.period.rolling() && wall < slot.period.counted_until);
}

std::int64_t capacity_for(const LimitSpec& spec, std::int64_t limit) {
    return spec.burst ? *spec.burst : limit;
}

} // namespace

Counter::Counter(const Scope& scope, LimitSpec spec, Moment now)
    : scope_(scope), window_(spec.window), spec_(std::move(spec)) {
    if (is_rate(spec_.dimension)) {
        const std::int64_t rate = limit_at(now.wall);
        bucket = DebtBucket(rate, capacity_for(spec_, rate), now.steady);
    }
}

std::int64_t Counter::limit_at(WallTime wall) const {
    return spec_.limit + (spec_.raise && wall < spec_.raise->until ? spec_.raise->extra : 0);
}

void Counter::edit(LimitSpec spec, Moment now) {
    touch(now);
    spec_ = std::move(spec);
    if (is_rate(spec_.dimension)) apply_rate(now.wall, now.steady);
    current = nullptr; // perhaps another calendar
}

void Counter::apply_rate(WallTime wall, TimePoint from) {
    const std::int64_t rate = limit_at(wall);
    const std::int64_t capacity = capacity_for(spec_, rate);
    if (rate != bucket.rate() || capacity != bucket.capacity()) bucket.reconfigure(rate, capacity, from);
}

// A raise ends at its instant, not when somebody looks: what was refilled since then was refilled at the lower rate.
void Counter::follow_raise(Moment now) {
    TimePoint from = now.steady;
    if (now.wall >= spec_.raise->until) {
        const WallTime::duration ago = std::min<WallTime::duration>(now.wall - spec_.raise->until, kLongestLook);
        from -= std::min<Duration>(ago, now.steady.time_since_epoch());
    }
    apply_rate(now.wall, from);
}

void Counter::touch(Moment now) {
    if (spec_.raise && is_rate(spec_.dimension)) follow_raise(now);
    if (spec_.dimension != Dimension::money) return;
    if (current != nullptr && current->period.contains(now.wall)) return;
    current = &slot_for(spec_.period->at(now.wall));
    trim(now.wall);
}

PeriodSlot& Counter::slot_for(Period period) {
    for (const auto& slot : slots_) {
        if (slot->period.id != period.id) continue;
        slot->period = std::move(period); // a restored slot learns its boundaries
        return *slot;
    }
    slots_.push_back(std::make_unique<PeriodSlot>(PeriodSlot{.period = std::move(period)}));
    return *slots_.back();
}

void Counter::trim(WallTime wall) {
    const auto kept = [&](const auto& slot) { return slot->pins > 0 || counts(*slot, current, wall); };
    std::size_t spare = slots_.size() - static_cast<std::size_t>(std::ranges::count_if(slots_, kept));
    while (spare > kKeptSlots) {
        auto oldest = slots_.end();
        for (auto slot = slots_.begin(); slot != slots_.end(); ++slot) {
            if (!kept(*slot) && (oldest == slots_.end() || (*slot)->period.begin < (*oldest)->period.begin))
                oldest = slot;
        }
        slots_.erase(oldest);
        --spare;
    }
}

Wide Counter::used_money(WallTime wall, Nano& held) const {
    Wide used = Wide{current->spent} + current->held;
    held = current->held;
    if (!current->period.rolling()) return used;
    for (const auto& slot : slots_) {
        if (slot.get() == current || !counts(*slot, current, wall)) continue;
        used += Wide{slot->spent} + slot->held;
        held += slot->held;
    }
    return used;
}

CounterState Counter::state(Moment now) const {
    CounterState state{.kind = scope_.kind,
                       .name = scope_.name,
                       .window = window_,
                       .dimension = spec_.dimension,
                       .mode = spec_.mode,
                       .shadow = spec_.shadow,
                       .last_call_open = last_call != nullptr,
                       .limit = limit_at(now.wall)};
    state.capacity = state.limit;
    if (is_rate(spec_.dimension)) {
        state.capacity = bucket.capacity();
        state.used = bucket.used(now.steady);
    } else if (spec_.dimension == Dimension::concurrency) {
        state.used = open;
    } else {
        state.used = used_money(now.wall, state.held);
        state.resets = current->period.end;
    }
    return state;
}

PeriodSlot& Counter::restore(const Period& period, Nano spent) {
    const auto known = std::ranges::find_if(slots_, [&](const auto& slot) { return slot->period.id == period.id; });
    if (known != slots_.end()) {
        (*known)->spent = std::max((*known)->spent, spent);
        return **known;
    }
    slots_.push_back(std::make_unique<PeriodSlot>(PeriodSlot{.period = period, .spent = spent}));
    return *slots_.back();
}

bool Counter::idle(Moment now) const {
    if (pins > 0 || open > 0 || bucket.used(now.steady) > 0) return false;
    return std::ranges::all_of(slots_, [](const auto& slot) { return slot->spent == 0 && slot->held == 0; });
}

void Counter::cross(PeriodSlot& slot, Moment now, std::vector<Crossing>& out) {
    const std::int64_t limit = limit_at(now.wall);
    const bool rolling = slot.period.rolling();
    Wide spent = slot.spent;
    if (rolling) {
        spent = 0;
        for (const auto& other : slots_) {
            if (other.get() == &slot || counts(*other, current, now.wall)) spent += other->spent;
        }
    }
    std::uint8_t& crossed = rolling ? crossed_rolling_ : slot.crossed;
    for (std::size_t i = 0; i < kThresholds.size(); ++i) {
        const auto bit = static_cast<std::uint8_t>(1U << i);
        const bool passed = spent * 100 >= Wide{limit} * kThresholds[i];
        if (!passed && rolling) crossed = static_cast<std::uint8_t>(crossed & ~bit);
        if (!passed || (crossed & bit) != 0) continue;
        crossed = static_cast<std::uint8_t>(crossed | bit);
        const Wide most = std::numeric_limits<Nano>::max();
        out.push_back({.kind = scope_.kind,
                       .name = scope_.name,
                       .window = window_,
                       .period = slot.period.id,
                       .percent = kThresholds[i],
                       .spent = static_cast<Nano>(std::min(spent, most)),
                       .limit = limit});
    }
}

const PeriodSlot* Counter::slot_of(const std::string& period) const {
    const auto found = std::ranges::find_if(slots_, [&](const auto& slot) { return slot->period.id == period; });
    return found == slots_.end() ? nullptr : found->get();
}

Scope::Scope(LocalStore& owner, std::string kind_word, std::string scope_name)
    : store(owner), kind(std::move(kind_word)), name(std::move(scope_name)) {}

Counter* Scope::find(Dimension dimension, std::string_view window) const {
    for (const auto& counter : counters_) {
        if (counter->spec().dimension == dimension && counter->spec().window == window) return counter.get();
    }
    return nullptr;
}

void Scope::configure(ScopeSpec spec, Moment now) {
    contact = std::move(spec.contact);
    active.clear();
    for (LimitSpec& limit : spec.limits) {
        Counter* counter = find(limit.dimension, limit.window);
        if (counter == nullptr) {
            counters_.push_back(std::make_unique<Counter>(*this, std::move(limit), now));
            counter = counters_.back().get();
        } else {
            counter->edit(std::move(limit), now);
        }
        active.push_back(counter);
    }
}

bool Scope::idle(Moment now) const {
    return std::ranges::all_of(counters_, [&](const auto& counter) { return counter->idle(now); });
}

} // namespace tollgate::policy::quota
