// The counters a worker keeps beside its requests: connections, handshakes, cache tiers, Redis, loop lag.
#pragma once

#include "cache/redis/client.hpp"
#include "cache/store.hpp"
#include "gateway/base/time.hpp"
#include "metrics/registry.hpp"

namespace tollgate::exchange {

struct WorkerCounters {
    explicit WorkerCounters(metrics::Registry& registry);

    // Adds what happened since the last call. `redis` is null without Redis.
    void publish(metrics::Shard& shard, const cache::StoreStats& store, const redis::ClientStats* redis);

    metrics::Counter accepted, refused, refused_source, tls_ok, tls_failed, tls_refused;
    metrics::Gauge connections;
    metrics::Histogram loop_lag;

  private:
    metrics::Counter memory_hits_, memory_misses_, memory_stale_, redis_hits_, redis_misses_, redis_lookup_errors_;
    metrics::Counter stores_corrupt_, stores_too_large_;
    metrics::Counter redis_ok_, redis_failed_, redis_timeouts_;
    cache::StoreStats seen_;
    redis::ClientStats redis_seen_;
};

} // namespace tollgate::exchange
