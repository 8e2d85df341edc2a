#include "gateway/exchange/cache_key.hpp"

#include <fmt/format.h>

namespace tollgate::exchange {
namespace {

std::string scope_of(const Exchange& ex) {
    switch (ex.snapshot->config.cache.scope) {
    case config::CacheScope::key: return "key:" + ex.principal->key_id;
    case config::CacheScope::team: return "team:" + ex.principal->team;
    case config::CacheScope::org: return "org:" + ex.principal->org;
    }
    return "key:" + ex.principal->key_id;
}

} // namespace

cache::KeyParts RequestKey::parts() const noexcept {
    cache::KeyParts out;
    out.scope = scope;
    out.space = space;
    out.endpoint = endpoint;
    out.identity = identity;
    out.headers = headers;
    return out;
}

RequestKey request_key(const Exchange& ex, std::string_view space) {
    RequestKey out;
    out.scope = scope_of(ex);
    out.space = space;
    out.endpoint = ex.route->upstream;
    out.identity = fmt::format("{}#{}", ex.model->identity, ex.wildcard ? ex.model_name : std::string());
    if (const auto beta = ex.head.find("openai-beta")) out.headers = fmt::format("openai-beta={}\n", *beta);
    if (!ex.head.query.empty())
        out.headers += fmt::format("query={}\n", ex.head.query); // it is forwarded, so it may matter
    return out;
}

bool is_purged(const Exchange& ex, const cache::Key& key, const cache::Entry& entry) {
    const cache::Purges& purges = ex.worker.shared.purges;
    if (entry.purge_clock >= purges.clock()) return false;
    const std::string model = "model/" + ex.model->name;
    const std::string written = "model/" + ex.model_name; // of a pattern's models, and of aliases
    const std::string team = "team/" + ex.principal->team;
    return purges.covers(key, entry, {model, written, team});
}

} // namespace tollgate::exchange
