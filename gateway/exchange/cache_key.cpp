#include "gateway/exchange/cache_key.hpp"

#include <fmt/format.h>

#include <array>

namespace tollgate::exchange {
namespace {

constexpr std::array<std::string_view, 2> kNotShared{"input", "encoding_format"};

std::string scope_of(const KeySubject& subject) {
    switch (subject.scope) {
    case config::CacheScope::key: return "key:" + subject.principal.key_id;
    case config::CacheScope::team: return "team:" + subject.principal.team;
    case config::CacheScope::org: return "org:" + subject.principal.org;
    }
    return "key:" + subject.principal.key_id;
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

RequestKey request_key(const KeySubject& subject, std::string_view space) {
    RequestKey out;
    out.scope = scope_of(subject);
    out.space = space;
    out.endpoint = subject.route.upstream;
    out.identity = fmt::format("{}#{}", subject.model.identity, subject.wildcard ? subject.model_name : "");
    if (!subject.beta.empty()) out.headers = fmt::format("openai-beta={}\n", subject.beta);
    if (!subject.query.empty()) out.headers += fmt::format("query={}\n", subject.query); // forwarded: it may matter
    return out;
}

RequestKey request_key(const Exchange& ex, std::string_view space) {
    return request_key({.scope = ex.snapshot->config.cache.scope,
                        .principal = *ex.principal,
                        .route = *ex.route,
                        .model = *ex.model,
                        .wildcard = ex.wildcard,
                        .model_name = ex.model_name,
                        .beta = ex.head.find("openai-beta").value_or(""),
                        .query = ex.head.query},
                       space);
}

std::vector<cache::Key> item_keys(crypto::Hmac& mac, const RequestKey& request, std::string_view body,
                                  const api::EmbeddingInputs& inputs) {
    cache::KeyParts parts = request.parts();
    parts.endpoint = "/embeddings#input";
    const auto rest = cache::canonical_json(body, kNotShared);
    std::vector<cache::Key> keys;
    if (!rest) return keys;
    for (const std::string_view item : inputs.items) {
        const auto canonical = cache::canonical_json(fmt::format(R"({{"input":{}}})", item));
        if (!canonical) return {};
        keys.push_back(cache::make_key(mac, parts, *rest + '\n' + *canonical));
    }
    return keys;
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
