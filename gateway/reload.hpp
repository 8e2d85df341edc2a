// From a configuration to the snapshot that requests use; the part of a start that a reload repeats.
#pragma once

#include "gateway/exchange/worker_state.hpp"
#include "gateway/net/tls.hpp"

#include <expected>
#include <string>
#include <vector>

namespace tollgate {

struct Compiled {
    exchange::SnapshotPtr snapshot;
    net::TlsContext tls;        // null: clear text
    alerts::WebhookPtr webhook; // null: none
};

// Everything that can fail happens before anything is shared: an error leaves the running configuration untouched.
// `running`: what is in effect, whose budgets count already; null at the start.
[[nodiscard]] std::expected<Compiled, std::string> compile(config::Config config,
                                                           const std::vector<policy::StoredKey>& stored,
                                                           exchange::Shared& shared, const exchange::Snapshot* running);

// Figures that are read when they are asked for. Once, at the start.
void register_sources(exchange::Shared& shared);

// Metric series and info rows of a snapshot that is about to be used.
void announce(const Compiled& compiled, metrics::Registry& registry);

// Names of changed settings that only a restart can apply.
[[nodiscard]] std::vector<std::string> needs_restart(const config::Config& running, const config::Config& loaded);

} // namespace tollgate
