#include "gateway/exchange/worker_state.hpp"

#include "metrics/families.hpp"

namespace tollgate::exchange {
namespace {

std::unique_ptr<redis::Client> make_redis(asio::io_context& io, const config::Config& config) {
    if (!config.redis || !config.redis->use_cache) return nullptr;
    return std::make_unique<redis::Client>(io, *config.redis);
}

std::uint32_t seed() {
    std::uint32_t value = 0;
    crypto::random_bytes({reinterpret_cast<std::uint8_t*>(&value), sizeof value});
    return value;
}

} // namespace

WorkerState::WorkerState(asio::io_context& context, Shared& process, SnapshotPtr initial)
    : io(context), shared(process), snapshot(std::move(initial)), cache_mac(process.keys.cache_mac), random(seed()),
      metrics(process.registry, process.registry.make_shard()), streams_open(process.registry.gauge(metrics::Family::streams_open, {})),
      redis(make_redis(context, snapshot->config)),
      responses(process.cache, redis.get(), process.keys.cache_seal, snapshot->config.redis ? snapshot->config.redis->prefix : "tg:",
                snapshot->config.cache.max_entry) {
    use(snapshot);
}

void WorkerState::use(SnapshotPtr next) {
    snapshot = std::move(next);
    metrics.use(snapshot->vocabulary);
    connect_histograms.clear();
    for (const auto& provider : snapshot->catalog->providers()) {
        const auto phase = [&](std::string_view name) {
            return shared.registry.histogram(metrics::Family::upstream_connect_duration_seconds, {provider->name, name});
        };
        connect_histograms.push_back({phase("dns"), phase("tcp"), phase("tls")});
    }
}

void WorkerState::observe_connect(std::uint32_t provider_index, const net::DialTimes& times) {
    if (provider_index >= connect_histograms.size()) return; // a provider of an older configuration
    const ConnectHistograms& histograms = connect_histograms[provider_index];
    metrics.shard().observe(histograms.dns, times.dns);
    metrics.shard().observe(histograms.tcp, times.tcp);
    if (times.tls > Duration::zero()) metrics.shard().observe(histograms.tls, times.tls);
}

void WorkerState::flush_log() {
    if (log_line_count == 0) return;
    shared.access_log.submit(std::move(log_lines), log_line_count);
    log_lines = std::string();
    log_line_count = 0;
}

} // namespace tollgate::exchange
