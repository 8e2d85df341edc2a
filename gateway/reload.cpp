#include "gateway/reload.hpp"

#include "gateway/base/log.hpp"
#include "gateway/budget_gauges.hpp"
#include "gateway/open_ledger.hpp"

#include "gateway/api/route.hpp"
#include "metrics/families.hpp"

#include <algorithm>
#include <exception>

namespace tollgate {
namespace {

std::vector<metrics::Vocabulary::OperationRow> operations() {
    std::vector<metrics::Vocabulary::OperationRow> rows(api::kOperationCount);
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].name = api::to_string(static_cast<api::Operation>(i));
    for (const api::Route& route : api::all_routes()) {
        auto& row = rows[static_cast<std::size_t>(route.operation)];
        const api::Charge charge = route.charge;
        row.streams |= route.may_stream;
        row.models |= route.method == api::Method::post && route.model != api::ModelIn::nowhere;
        row.tokens |= row.models && (charge == api::Charge::tokens || charge == api::Charge::input_tokens);
    }
    return rows;
}

std::shared_ptr<const metrics::Vocabulary> vocabulary_of(const upstream::Catalog& catalog,
                                                         const policy::Directory& directory) {
    auto vocabulary = std::make_shared<metrics::Vocabulary>();
    vocabulary->models.emplace_back("other");
    vocabulary->operations = operations();
    for (const auto& model : catalog.models()) vocabulary->models.push_back(model->name);
    for (const auto& provider : catalog.providers()) vocabulary->upstreams.push_back(provider->name);
    for (const auto& principal : directory.principals()) {
        vocabulary->keys.push_back({principal.key_id, principal.team, principal.key_alias});
        if (std::ranges::find(vocabulary->teams, principal.team) == vocabulary->teams.end())
            vocabulary->teams.push_back(principal.team);
    }
    for (const auto& model : catalog.models()) {
        for (const auto& candidate : model->candidates)
            vocabulary->pairs.push_back({model->index, candidate.provider->index});
    }
    for (const api::Route& route : api::all_routes()) {
        const bool granted = route.group.empty() || std::ranges::any_of(directory.principals(), [&](const auto& key) {
                                 return std::ranges::find(key.routes, route.group) != key.routes.end();
                             });
        if (granted) vocabulary->routes.push_back({route.pattern, api::to_string(route.method)});
    }
    return vocabulary;
}

bool same(const config::Endpoint& a, const config::Endpoint& b) {
    return a.host == b.host && a.port == b.port;
}
bool same(const std::optional<config::Endpoint>& a, const std::optional<config::Endpoint>& b) {
    return a.has_value() == b.has_value() && (!a || same(*a, *b));
}
bool same(const config::Redis& a, const config::Redis& b) {
    return a.url.reveal() == b.url.reveal() && a.prefix == b.prefix && a.timeout == b.timeout &&
           a.use_cache == b.use_cache && a.use_flights == b.use_flights;
}

} // namespace

std::expected<Compiled, std::string> compile(config::Config config, const std::vector<policy::StoredKey>& stored,
                                             exchange::Shared& shared, const exchange::Snapshot* running) {
    Compiled out;
    auto catalog = upstream::Catalog::build(config);
    if (!catalog) return std::unexpected(catalog.error());
    auto webhook = alerts::compile_webhook(config);
    if (!webhook) return std::unexpected(webhook.error());
    out.webhook = std::move(*webhook);
    if (config.listen.tls) {
        auto context =
            net::server_context(config.listen.tls->cert, config.listen.tls->key, config.listen.tls->client_ca);
        if (!context) return std::unexpected(context.error());
        out.tls = std::move(*context);
    }
    try {
        policy::Directory directory(config, stored, shared.quota, shared.keys.pepper, {Clock::now(), WallClock::now()});
        auto prices = policy::PriceBook::build(config);
        if (!prices) return std::unexpected(prices.error());
        for (const std::string& problem : prices->problems()) log::warning("a price list", {{"problem", problem}});
        const policy::quota::Moment now{Clock::now(), WallClock::now()};
        const policy::Directory* const known = running == nullptr ? nullptr : &running->directory;
        std::vector<policy::quota::Crossing> crossings;
        const auto restored = restore_budgets(directory, known, shared.quota, shared.ledger->path(), now, crossings);
        shared.alerts->tell(std::move(crossings));
        if (!restored) return std::unexpected(restored.error());
        auto vocabulary = vocabulary_of(**catalog, directory);
        out.snapshot = std::make_shared<const exchange::Snapshot>(exchange::Snapshot{
            std::move(config), std::move(*catalog), std::move(directory), std::move(vocabulary), std::move(*prices)});
    } catch (const std::exception& failure) {
        return std::unexpected(failure.what());
    }
    return out;
}

void register_sources(exchange::Shared& shared) {
    metrics::Registry& registry = shared.registry;
    cache::MemoryCache& cache = shared.cache;
    registry.set_info(metrics::Family::build_info, {{TOLLGATE_VERSION, "release", "clang " __clang_version__}});
    registry.gauge_source(metrics::Family::cache_entries, {"memory"},
                          [&] { return static_cast<double>(cache.stats().entries); });
    registry.gauge_source(metrics::Family::cache_size_bytes, {"memory"},
                          [&] { return static_cast<double>(cache.stats().bytes); });
    registry.gauge_source(metrics::Family::cache_capacity_bytes, {"memory"},
                          [&] { return static_cast<double>(cache.stats().capacity); });
    registry.counter_source(metrics::Family::cache_evictions_total, {"memory", "size"},
                            [&] { return static_cast<double>(cache.stats().evicted_size); });
    registry.counter_source(metrics::Family::cache_evictions_total, {"memory", "ttl"},
                            [&] { return static_cast<double>(cache.stats().evicted_ttl); });
    registry.counter_source(metrics::Family::cache_evictions_total, {"memory", "purge"},
                            [&] { return static_cast<double>(cache.stats().evicted_purge); });
    registry.counter_source(metrics::Family::log_dropped_total, {"access"},
                            [&] { return static_cast<double>(shared.access_log.dropped()); });
    for (const auto level : {log::Level::debug, log::Level::info, log::Level::warning, log::Level::error})
        registry.counter_source(metrics::Family::log_messages_total, {log::to_string(level)},
                                [level] { return static_cast<double>(log::count(level)); });
}

void announce(const Compiled& compiled, metrics::Registry& registry) {
    using metrics::Family;
    const exchange::Snapshot& snapshot = *compiled.snapshot;
    const auto end = compiled.tls ? net::certificate_end(compiled.tls) : std::nullopt;
    if (end) {
        registry.gauge_source(Family::tls_certificate_not_after_timestamp_seconds, {"api"},
                              [end] { return static_cast<double>(*end); });
    }
    metrics::register_vocabulary(registry, *snapshot.vocabulary);
    registry.set_info(Family::config_info, {{snapshot.config.hash}});
    expose_budgets(snapshot.directory, registry);
    std::vector<metrics::Registry::SourceRow> upstreams;
    for (const auto& model : snapshot.catalog->models()) {
        const auto usable = static_cast<double>(model->candidates.size());
        upstreams.push_back({{model->name, "usable"}, [usable] { return usable; }});
        upstreams.push_back({{model->name, "unusable"}, [] { return 0.0; }});
    }
    registry.replace_sources(Family::model_upstreams, std::move(upstreams));
    double disabled = 0;
    for (const auto& principal : snapshot.directory.principals()) disabled += principal.disabled ? 1 : 0;
    const double active = static_cast<double>(snapshot.directory.principals().size()) - disabled;
    registry.gauge_source(Family::keys, {"active"}, [active] { return active; });
    registry.gauge_source(Family::keys, {"disabled"}, [disabled] { return disabled; });
}

std::vector<std::string> needs_restart(const config::Config& running, const config::Config& loaded) {
    std::vector<std::string> changed;
    const auto note = [&](bool equal, const char* name) {
        if (!equal) changed.emplace_back(name);
    };
    note(same(running.listen.api, loaded.listen.api), "listen.api");
    note(same(running.listen.metrics, loaded.listen.metrics), "listen.metrics");
    note(same(running.listen.admin, loaded.listen.admin), "listen.admin");
    note(running.listen.workers == loaded.listen.workers, "listen.workers");
    note(running.listen.tls.has_value() == loaded.listen.tls.has_value(), "listen.tls");
    note(running.store_path == loaded.store_path, "store.path");
    note(running.master_secret.reveal() == loaded.master_secret.reveal(), "secrets.master");
    note(running.redis.has_value() == loaded.redis.has_value() &&
             (!running.redis || same(*running.redis, *loaded.redis)),
         "redis");
    note(running.cache.memory == loaded.cache.memory, "cache.memory");
    note(running.tokenizers.path == loaded.tokenizers.path, "tokenizers.path");
    note(running.access_log.path == loaded.access_log.path, "access_log.path");
    return changed;
}

} // namespace tollgate
