// Configuration and stored keys → principals, without counters: everything that can be wrong with keys is found here.
#pragma once

#include "gateway/base/crypto.hpp"
#include "policy/directory.hpp"

#include <string>
#include <vector>

namespace tollgate::policy {

struct CompiledKey {
    Principal principal;                  // without scopes
    std::vector<quota::ScopeSpec> scopes; // key, team, org; those without limits are left out
    crypto::Digest sha256{};              // of the secret
    std::string origin;                   // "tollgate.yaml:12" or "the store", for messages
};

// Pure. Throws std::invalid_argument as Directory's constructor says, except for secrets that occur twice.
[[nodiscard]] std::vector<CompiledKey> compile_keys(const config::Config& config, const std::vector<StoredKey>& stored);

} // namespace tollgate::policy
