// Load time and reading: which scopes there are and what they have used.
#include "policy/quota/local_store.hpp"

#include <algorithm>

namespace tollgate::policy::quota {

ScopeHandle LocalStore::define(ScopeSpec spec, Moment now) {
    validate(spec);
    const std::scoped_lock registry(registry_mutex_);
    std::pair<std::string, std::string> key(spec.kind, spec.name);
    const auto known = scopes_.find(key);
    if (known != scopes_.end()) {
        const std::scoped_lock lock(mutex_);
        known->second->configure(std::move(spec), now);
        return known->second;
    }
    prune(now);
    auto made = std::make_shared<Scope>(*this, spec.kind, spec.name);
    made->configure(std::move(spec), now);
    scopes_.emplace(std::move(key), made);
    return made;
}

// Doubling keeps a load of n keys at O(n log n). A scope of which only the registry knows cannot get new lines.
void LocalStore::prune(Moment now) {
    if (scopes_.size() < prune_at_) return;
    std::erase_if(scopes_, [&](const auto& entry) {
        if (entry.second.use_count() > 1) return false;
        const std::scoped_lock lock(mutex_);
        return entry.second->idle(now);
    });
    prune_at_ = std::max<std::size_t>(64, 2 * scopes_.size());
}

std::vector<Crossing> LocalStore::restore(const std::string& kind, const std::string& name, const std::string& window,
                                          const Period& period, Nano spent, Moment now) {
    Crossings crossings;
    const std::scoped_lock registry(registry_mutex_);
    const auto scope = scopes_.find({kind, name});
    if (scope == scopes_.end()) return crossings;
    const std::scoped_lock lock(mutex_);
    Counter* const counter = scope->second->find(Dimension::money, window);
    if (counter != nullptr) counter->cross(counter->restore(period, spent), now, crossings);
    return crossings;
}

std::vector<Reading> LocalStore::read(const Scope& scope, Moment now) {
    std::vector<Reading> readings;
    const std::scoped_lock lock(mutex_);
    for (Counter* const counter : scope.active) {
        counter->touch(now);
        Reading& reading = readings.emplace_back();
        reading.state = counter->state(now);
        reading.would_deny = counter->would_deny;
        if (counter->current == nullptr) continue;
        reading.spent = counter->current->spent;
        reading.period = counter->current->period.id;
    }
    return readings;
}

Nano LocalStore::spent(Scope& scope, std::string_view window, const std::string& period) {
    const std::scoped_lock lock(mutex_);
    Counter* const counter = scope.find(Dimension::money, window);
    const PeriodSlot* const slot = counter == nullptr ? nullptr : counter->slot_of(period);
    return slot == nullptr ? 0 : slot->spent;
}

Totals LocalStore::totals() {
    const std::scoped_lock lock(mutex_);
    Totals totals{.open = open_};
    for (std::size_t i = 0; i < records_.size(); ++i) {
        if (records_.at(i).state == Record::State::reaped) ++totals.reaped;
    }
    return totals;
}

} // namespace tollgate::policy::quota
