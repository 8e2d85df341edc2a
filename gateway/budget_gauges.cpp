#include "gateway/budget_gauges.hpp"

#include "metrics/families.hpp"
#include "policy/quota/scope.hpp"

#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace tollgate {
namespace {

namespace quota = policy::quota;
using metrics::Family;

constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();

double usd(quota::Wide nano) {
    return static_cast<double>(nano) / 1e9;
}

double limit_of(const quota::Reading& reading) {
    return usd(reading.state.full());
}
double spent_of(const quota::Reading& reading) {
    return usd(reading.state.used - reading.state.held);
}
double reserved_of(const quota::Reading& reading) {
    return usd(reading.state.held);
}
double resets_of(const quota::Reading& reading) {
    if (reading.state.resets == WallTime::max()) return kAbsent;
    return std::chrono::duration<double>(reading.state.resets.time_since_epoch()).count();
}

// Does not keep the scope: one that no configuration has any more is forgotten with what was spent in it.
double read(const std::weak_ptr<quota::Scope>& weak, const std::string& window,
            double (*figure)(const quota::Reading&)) {
    const quota::ScopeHandle scope = weak.lock();
    if (!scope) return kAbsent;
    for (const quota::Reading& reading : scope->store.read(*scope, {Clock::now(), WallClock::now()})) {
        if (reading.state.dimension == quota::Dimension::money && reading.state.names->window == window)
            return figure(reading);
    }
    return kAbsent;
}

} // namespace

void expose_budgets(const policy::Directory& directory, metrics::Registry& registry) {
    using Figure = double (*)(const quota::Reading&);
    const std::pair<Family, Figure> gauges[] = {{Family::budget_limit_usd, limit_of},
                                                {Family::budget_spent_usd, spent_of},
                                                {Family::budget_reserved_usd, reserved_of},
                                                {Family::budget_resets_timestamp_seconds, resets_of}};
    for (const auto& [family, figure] : gauges) {
        std::vector<metrics::Registry::SourceRow> rows;
        for (const policy::BudgetPlace& place : directory.budgets()) {
            if (place.kind.starts_with("key")) continue;
            rows.push_back({{place.kind, place.name, place.window},
                            [scope = std::weak_ptr(place.scope), window = place.window, figure] {
                                return read(scope, window, figure);
                            }});
        }
        registry.replace_sources(family, std::move(rows));
    }
}

} // namespace tollgate
