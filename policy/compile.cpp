#include "policy/compile.hpp"

#include "policy/key_text.hpp"
#include "policy/scope_specs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <stdexcept>

namespace tollgate::policy {
namespace {

constexpr std::string_view kDefault = "default";

template <class... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) {
    throw std::invalid_argument(fmt::format(format, std::forward<Args>(args)...));
}

config::Team team_named(const config::Config& config, const std::string& name) {
    if (const auto found = config.teams.find(name); found != config.teams.end()) return found->second;
    config::Team implicit;
    implicit.name = name;
    return implicit;
}

// Key, team, org, then the pairs of each with a model; without limits they are left out.
std::vector<CompiledScope> scopes_of(const config::Config& config, const config::Key& key, const std::string& team,
                                     const std::string& org) {
    std::vector<CompiledScope> scopes;
    std::array own{key_scope(config, key), team_scope(config, team), org_scope(config, org)};
    for (quota::ScopeSpec& spec : own) {
        if (!spec.limits.empty()) scopes.push_back({std::move(spec)});
    }
    std::array shares{key_pairs(config, key), team_pairs(config, team), org_pairs(config, org)};
    for (PairScopes& pairs : shares) {
        for (auto& [model, spec] : pairs) scopes.push_back({std::move(spec), model});
    }
    return scopes;
}

CompiledKey compile(const config::Config& config, const config::Key& key, crypto::Digest sha256, std::string origin) {
    const std::string team_name = key.team.empty() ? std::string(kDefault) : key.team;
    const config::Team team = team_named(config, team_name);
    const std::string org = team.org.empty() ? std::string(kDefault) : team.org;
    CompiledKey compiled;
    Principal& principal = compiled.principal;
    principal.key_id = key.id;
    principal.key_alias = key.alias;
    principal.team = team_name;
    principal.org = org;
    principal.contact = team.contact;
    principal.key_models = key.models;
    principal.team_models = team.models;
    principal.routes = key.routes;
    principal.expires = key.expires;
    principal.disabled = key.disabled;
    principal.key_cache = key.cache;
    principal.team_cache = team.cache;
    compiled.scopes = scopes_of(config, key, team_name, org);
    compiled.sha256 = sha256;
    compiled.origin = std::move(origin);
    return compiled;
}

crypto::Digest digest_of_hex(const std::string& hex, const std::string& id, const std::string& origin) {
    const std::optional<std::string> octets = crypto::from_hex(hex);
    crypto::Digest digest{};
    if (!octets || octets->size() != digest.size()) {
        refuse("key \"{}\" ({}): sha256 is not 64 hexadecimal digits", id, origin);
    }
    std::ranges::copy(*octets, digest.begin());
    return digest;
}

// An empty or unusable secret is an error of the configuration, never something that could match (R5).
crypto::Digest digest_of(const config::Key& key, const std::string& origin) {
    if (!key.secret.empty() && !key.sha256.empty()) {
        refuse("key \"{}\" ({}): both secret and sha256 are given; one of them is enough", key.id, origin);
    }
    if (!key.sha256.empty()) return digest_of_hex(key.sha256, key.id, origin);
    const std::string_view secret = key.secret.reveal();
    if (secret.empty()) refuse("key \"{}\" ({}): the secret is empty", key.id, origin);
    if (!hashable_key(secret)) {
        refuse("key \"{}\" ({}): no client could send this secret; use at most {} visible ASCII characters", key.id,
               origin, kMaxKeyLength);
    }
    if (!plausible_key(secret)) {
        refuse("key \"{}\" ({}): the secret starts like a generated key (\"{}_…\") but its checksum does not match; it "
               "was "
               "copied incompletely or with a typo",
               key.id, origin, shown_part(secret));
    }
    return crypto::sha256(secret);
}

CompiledKey compile_stored(const config::Config& config, const StoredKey& stored) {
    const std::string origin = "the store";
    // A team that was deleted may have been what limited this key.
    if (!stored.team.empty() && stored.team != kDefault && !config.teams.contains(stored.team)) {
        refuse("key \"{}\" ({}) belongs to team \"{}\", which the configuration no longer has", stored.id, origin,
               stored.team);
    }
    config::Key key = stored.entry;
    key.id = stored.id;
    key.team = stored.team;
    key.disabled = stored.disabled;
    CompiledKey compiled = compile(config, key, digest_of_hex(stored.sha256, stored.id, origin), origin);
    if (!stored.former_sha256.empty()) {
        compiled.former = {.sha256 = digest_of_hex(stored.former_sha256, stored.id, origin),
                           .until = std::chrono::sys_seconds(std::chrono::seconds(stored.former_until))};
    }
    return compiled;
}

void require_distinct_ids(const std::vector<CompiledKey>& keys) {
    std::map<std::string_view, const CompiledKey*> seen;
    for (const CompiledKey& key : keys) {
        const std::string& id = key.principal.key_id;
        if (id.empty()) refuse("a key in {} has no id", key.origin);
        const auto [first, fresh] = seen.emplace(id, &key);
        if (!fresh) refuse("key id \"{}\" is used twice: in {} and in {}", id, first->second->origin, key.origin);
    }
}

} // namespace

std::string origin_of(const config::Config& config, const config::Key& key) {
    const std::string file = config.file.empty() ? std::string("the configuration") : config.file;
    return key.mark.line == 0 ? file : fmt::format("{}:{}", file, key.mark.line);
}

std::vector<CompiledKey> compile_keys(const config::Config& config, const std::vector<StoredKey>& stored) {
    std::vector<CompiledKey> keys;
    keys.reserve(config.keys.size() + stored.size());
    for (const config::Key& key : config.keys) {
        const std::string origin = origin_of(config, key);
        keys.push_back(compile(config, key, digest_of(key, origin), origin));
    }
    for (const StoredKey& key : stored) keys.push_back(compile_stored(config, key));
    require_distinct_ids(keys);
    return keys;
}

std::vector<CompiledScope> compile_models(const config::Config& config) {
    std::vector<CompiledScope> scopes;
    for (const auto& [name, model] : config.models) {
        quota::ScopeSpec spec = model_scope(config, model);
        if (!spec.limits.empty()) scopes.push_back({std::move(spec), name});
    }
    return scopes;
}

} // namespace tollgate::policy
