#include "gateway/exchange/worker_counters.hpp"

#include "metrics/families.hpp"

namespace tollgate::exchange {

using metrics::Family;

WorkerCounters::WorkerCounters(metrics::Registry& registry)
    : accepted(registry.counter(Family::listener_accepts_total, {"api", "ok"})),
      refused(registry.counter(Family::listener_accepts_total, {"api", "refused"})),
      refused_source(registry.counter(Family::listener_accepts_total, {"api", "refused_address"})),
      tls_ok(registry.counter(Family::tls_handshakes_total, {"api", "ok"})),
      tls_failed(registry.counter(Family::tls_handshakes_total, {"api", "error"})),
      tls_refused(registry.counter(Family::tls_handshakes_total, {"api", "refused"})),
      connections(registry.gauge(Family::listener_connections, {"api", "active"})),
      loop_lag(registry.histogram(Family::event_loop_lag_seconds, {})),
      memory_hits_(registry.counter(Family::cache_lookups_total, {"memory", "hit"})),
      memory_misses_(registry.counter(Family::cache_lookups_total, {"memory", "miss"})),
      memory_stale_(registry.counter(Family::cache_lookups_total, {"memory", "stale"})),
      redis_hits_(registry.counter(Family::cache_lookups_total, {"redis", "hit"})),
      redis_misses_(registry.counter(Family::cache_lookups_total, {"redis", "miss"})),
      redis_lookup_errors_(registry.counter(Family::cache_lookups_total, {"redis", "error"})),
      stores_corrupt_(registry.counter(Family::cache_stores_total, {"redis", "error"})),
      stores_too_large_(registry.counter(Family::cache_stores_total, {"memory", "rejected"})),
      redis_ok_(registry.counter(Family::store_requests_total, {"redis", "command", "ok"})),
      redis_failed_(registry.counter(Family::store_requests_total, {"redis", "command", "error"})),
      redis_timeouts_(registry.counter(Family::store_requests_total, {"redis", "command", "timeout"})) {}

void WorkerCounters::publish(metrics::Shard& shard, const cache::StoreStats& store, const redis::ClientStats* redis) {
    const bool with_redis = redis != nullptr;
    // A look-up that memory could not answer is one memory miss, whatever Redis said.
    const auto beyond_memory = [](const cache::StoreStats& s) { return s.redis_hits + s.misses; };
    shard.add(memory_hits_, store.memory_hits - seen_.memory_hits);
    shard.add(memory_misses_, beyond_memory(store) - beyond_memory(seen_));
    shard.add(memory_stale_, store.stale - seen_.stale);
    shard.add(stores_too_large_, store.too_large - seen_.too_large);
    shard.add(stores_corrupt_, store.corrupt - seen_.corrupt);
    if (with_redis) {
        shard.add(redis_hits_, store.redis_hits - seen_.redis_hits);
        // A look-up that failed is an error, not also a miss.
        const auto redis_misses = [](const cache::StoreStats& s) { return s.misses - s.redis_errors; };
        shard.add(redis_misses_, redis_misses(store) - redis_misses(seen_));
        shard.add(redis_lookup_errors_, store.redis_errors - seen_.redis_errors);
        shard.add(redis_ok_, redis->ok - redis_seen_.ok);
        shard.add(redis_failed_, redis->errors - redis_seen_.errors);
        shard.add(redis_timeouts_, redis->timeouts - redis_seen_.timeouts);
        redis_seen_ = *redis;
    }
    seen_ = store;
}

} // namespace tollgate::exchange
