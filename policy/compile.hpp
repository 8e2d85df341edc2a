// Configuration and stored keys → principals, without counters: everything that can be wrong with keys is found here.
#pragma once

#include "gateway/base/crypto.hpp"
#include "policy/directory.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace tollgate::policy {

// One scope that limits a key: itself, its team, its org, or one of them with a model.
struct CompiledScope {
    quota::ScopeSpec spec;
    std::string model{}; // of a pair
};

// A secret that was rotated away and is still good for a while.
struct FormerSecret {
    crypto::Digest sha256{};
    std::chrono::sys_seconds until{};
};

struct CompiledKey {
    Principal principal;               // without scopes
    std::vector<CompiledScope> scopes; // key, team, org, then pairs; those without limits are left out
    crypto::Digest sha256{};           // of the secret
    std::string origin;                // "tollgate.yaml:12" or "the store", for messages
    std::optional<FormerSecret> former{};
};

// The models that have limits of their own, which hold for everybody together. Throws as compile_keys() does.
[[nodiscard]] std::vector<CompiledScope> compile_models(const config::Config& config);

// Where a key of the file is written, "tollgate.yaml:12".
[[nodiscard]] std::string origin_of(const config::Config& config, const config::Key& key);

// Pure. Throws std::invalid_argument as Directory's constructor says, except for secrets that occur twice.
[[nodiscard]] std::vector<CompiledKey> compile_keys(const config::Config& config, const std::vector<StoredKey>& stored);

} // namespace tollgate::policy
