// Budgets as gauges: what a dashboard shows beside the counters of spend.
#pragma once

#include "metrics/registry.hpp"
#include "policy/directory.hpp"

namespace tollgate {

// Limit, spent, reserved and reset of every budget but those of keys (observability §1.2: no gauges per key), read at
// each scrape. Replaces what an earlier directory exposed.
void expose_budgets(const policy::Directory& directory, metrics::Registry& registry);

} // namespace tollgate
