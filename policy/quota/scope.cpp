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

} // namespace

Counter::Counter(const Scope& scope, LimitSpec spec, Moment now)
    : dimension_(spec.dimension), mode_(spec.mode), shadow_(spec.shadow), window_(spec.window),
      names_{.kind = scope.kind, .name = scope.name, .window = window_} {
    configure(std::move(spec));
    if (!is_rate(dimension_)) return;
    const std::int64_t rate = limit_at(now.wall);
    bucket = DebtBucket(rate, burst_.value_or(rate), now.steady);
}

void Counter::configure(LimitSpec spec) {
    mode_ = spec.mode;
    shadow_ = spec.shadow;
    cut_ = spec.cut;
    limit_ = spec.limit;
    burst_ = spec.burst;
    raised_ = spec.raise.has_value();
    raise_ = spec.raise.value_or(Raise{});
    rule_ = std::move(spec.period);
    begin_ = WallTime::max(); // perhaps another calendar
    end_ = WallTime::min();
}

void Counter::edit(LimitSpec spec, Moment now) {
    touch(now);
    configure(std::move(spec));
    if (is_rate(dimension_)) apply_rate(now.wall, now.steady);
}

void Counter::apply_rate(WallTime wall, TimePoint from) {
    const std::int64_t rate = limit_at(wall);
    const std::int64_t capacity = burst_.value_or(rate);
    if (rate != bucket.rate() || capacity != bucket.capacity()) bucket.reconfigure(rate, capacity, from);
}

// A raise ends at its instant, not when somebody looks: what was refilled since then was refilled at the lower rate.
void Counter::follow_raise(Moment now) {
    TimePoint from = now.steady;
    if (now.wall >= raise_.until) {
        const WallTime::duration ago = std::min<WallTime::duration>(now.wall - raise_.until, kLongestLook);
        from -= std::min<Duration>(ago, now.steady.time_since_epoch());
    }
    apply_rate(now.wall, from);
}

void Counter::refresh(Moment now) {
    if (raised_ && is_rate(dimension_)) follow_raise(now);
    if (dimension_ != Dimension::money || (begin_ <= now.wall && now.wall < end_)) return;
    current = &slot_for(rule_->at(now.wall));
    begin_ = current->period.begin;
    end_ = current->period.end;
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
    CounterState state{.names = &names_,
                       .dimension = dimension_,
                       .mode = mode_,
                       .shadow = shadow_,
                       .cut = cut_,
                       .last_call_open = last_call != nullptr,
                       .limit = limit_at(now.wall)};
    state.capacity = state.limit;
    if (is_rate(dimension_)) {
        state.capacity = bucket.capacity();
        state.used = bucket.used(now.steady);
    } else if (dimension_ == Dimension::concurrency) {
        state.used = open;
    } else {
        state.used = used_money(now.wall, state.held);
        state.resets = end_;
    }
    return state;
}

PeriodSlot& Counter::restore(const Period& period, Nano spent) {
    const auto known = std::ranges::find_if(slots_, [&](const auto& slot) { return slot->period.id == period.id; });
    if (known != slots_.end()) {
        (*known)->spent = std::max((*known)->spent, spent);
        return **known;
    }
    slots_.push_back(std::make_unique<PeriodSlot>(PeriodSlot{.spent = spent, .period = period}));
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
        out.push_back({.kind = std::string(names_.kind),
                       .name = std::string(names_.name),
                       .window = window_,
                       .period = slot.period.id,
                       .percent = kThresholds[i],
                       .spent = static_cast<Nano>(std::min(spent, most)),
                       .limit = limit,
                       .rolling = rolling ? slot.period.counted_until - slot.period.end : Duration::zero()});
    }
}

const PeriodSlot* Counter::slot_of(const std::string& period) const {
    const auto found = std::ranges::find_if(slots_, [&](const auto& slot) { return slot->period.id == period; });
    return found == slots_.end() ? nullptr : found->get();
}

void CounterList::assign(std::vector<Counter*> counters) {
    size_ = counters.size();
    if (size_ <= near_.size()) {
        std::ranges::copy(counters, near_.begin());
    } else {
        far_ = std::move(counters);
    }
}

Scope::Scope(LocalStore& owner, std::string kind_word, std::string scope_name)
    : store(owner), kind(std::move(kind_word)), name(std::move(scope_name)) {}

Counter* Scope::find(Dimension dimension, std::string_view window) {
    for (auto& block : blocks_) {
        for (auto& counter : block) {
            if (counter->dimension() == dimension && counter->names().window == window) return &*counter;
        }
    }
    return nullptr;
}

void Scope::configure(ScopeSpec spec, Moment now) {
    contact = std::move(spec.contact);
    const auto is_new = [&](const LimitSpec& limit) { return find(limit.dimension, limit.window) == nullptr; };
    std::vector<std::optional<Counter>> block(static_cast<std::size_t>(std::ranges::count_if(spec.limits, is_new)));
    std::size_t made = 0;
    std::vector<Counter*> configured;
    for (LimitSpec& limit : spec.limits) {
        Counter* known = find(limit.dimension, limit.window);
        if (known != nullptr) {
            known->edit(std::move(limit), now);
        } else {
            known = &block[made++].emplace(*this, std::move(limit), now);
        }
        configured.push_back(known);
    }
    active.assign(std::move(configured));
    if (made > 0) blocks_.push_back(std::move(block)); // moves no counter
}

bool Scope::idle(Moment now) const {
    return std::ranges::all_of(blocks_, [&](const auto& block) {
        return std::ranges::all_of(block, [&](const std::optional<Counter>& counter) { return counter->idle(now); });
    });
}

} // namespace tollgate::policy::quota
