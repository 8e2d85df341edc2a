#include "gateway/exchange/worker_state.hpp"

#include "metrics/families.hpp"

#include <algorithm>

namespace tollgate::exchange {
namespace {

std::unique_ptr<redis::Client> make_redis(asio::io_context& io, const config::Config& config) {
    if (!config.redis || !config.redis->use_cache) return nullptr;
    return std::make_unique<redis::Client>(io, *config.redis);
}

std::unique_ptr<cache::FlightLeases> make_leases(asio::io_context& io, redis::Client* client,
                                                 const config::Config& config) {
    if (client == nullptr || !config.redis->use_flights) return nullptr;
    return std::make_unique<cache::FlightLeases>(io, *client, *config.redis);
}

std::uint32_t seed() {
    std::uint32_t value = 0;
    crypto::random_bytes({reinterpret_cast<std::uint8_t*>(&value), sizeof value});
    return value;
}

} // namespace

WorkerState::WorkerState(asio::io_context& context, Shared& process, SnapshotPtr initial)
    : io(context), shared(process), snapshot(std::move(initial)), pool(process.idle_upstream),
      cache_mac(process.keys.cache_mac), random(seed()), metrics(process.registry, process.registry.make_shard()),
      streams_open(process.registry.gauge(metrics::Family::streams_open, {})),
      limit_check(process.registry.histogram(metrics::Family::limit_check_duration_seconds, {})),
      memory_lookup(process.registry.histogram(metrics::Family::cache_lookup_duration_seconds, {"memory"})),
      redis_lookup(process.registry.histogram(metrics::Family::cache_lookup_duration_seconds, {"redis"})),
      redis_latency(process.registry.histogram(metrics::Family::store_duration_seconds, {"redis", "get"})),
      collapsed(process.registry.counter(metrics::Family::cache_lookups_total, {"memory", "collapsed"})),
      redis(make_redis(context, snapshot->config)), leases(make_leases(context, redis.get(), snapshot->config)),
      responses(process.cache, redis.get(), process.keys.cache_seal,
                snapshot->config.redis ? snapshot->config.redis->prefix : "tg:", snapshot->config.cache.max_entry) {
    use(snapshot);
}

void WorkerState::use(SnapshotPtr next) {
    snapshot = std::move(next);
    metrics.use(snapshot->vocabulary);
    for (ProviderMetrics& old : provider_metrics) metrics.shard().add(old.idle, -old.idle_published);
    provider_metrics.clear();
    for (const auto& provider : snapshot->catalog->providers()) {
        const auto phase = [&](std::string_view name) {
            return shared.registry.histogram(metrics::Family::upstream_connect_duration_seconds,
                                             {provider->name, name});
        };
        const auto open = [&](std::string_view state) {
            return shared.registry.gauge(metrics::Family::upstream_connections, {provider->name, state});
        };
        provider_metrics.push_back(
            {provider->name, phase("dns"), phase("tcp"), phase("tls"), open("active"), open("idle")});
    }
}

const WorkerState::ProviderMetrics* WorkerState::find_metrics(std::span<const ProviderMetrics> all,
                                                              const upstream::Provider& provider) {
    if (provider.index < all.size() && all[provider.index].name == provider.name) return &all[provider.index];
    const auto found = std::ranges::find(all, provider.name, &ProviderMetrics::name);
    return found == all.end() ? nullptr : &*found;
}

void WorkerState::observe_connect(const upstream::Provider& provider, const net::DialTimes& times) {
    const ProviderMetrics* const histograms = find_metrics(provider_metrics, provider);
    if (histograms == nullptr) return;
    metrics.shard().observe(histograms->dns, times.dns);
    metrics.shard().observe(histograms->tcp, times.tcp);
    if (times.tls > Duration::zero()) metrics.shard().observe(histograms->tls, times.tls);
}

void WorkerState::publish_connections() {
    for (const auto& provider : snapshot->catalog->providers()) {
        ProviderMetrics& counted = provider_metrics[provider->index];
        const auto idle = static_cast<std::int64_t>(pool.idle(provider->pool_key));
        metrics.shard().add(counted.idle, idle - counted.idle_published);
        counted.idle_published = idle;
    }
}

// Each leaves the list before it is told: what it does then may destroy any of them.
void WorkerState::interrupt_running() {
    terminating = true;
    while (!running.empty()) {
        Interruptible& next = running.front();
        running.pop_front();
        next.on_shutdown();
    }
}

void WorkerState::flush_log() {
    if (log_line_count == 0) return;
    shared.access_log.submit(std::move(log_lines), log_line_count);
    log_lines = std::string();
    log_line_count = 0;
}

} // namespace tollgate::exchange
