// Who is asking and what they may do: compiled once from the configuration, immutable, shared by all workers.
#pragma once

#include "config/config.hpp"
#include "gateway/base/error.hpp"
#include "gateway/base/time.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::policy {

class Bucket; // policy/limiter.hpp

// Indices that the metrics layer resolves at load; policy only carries them.
struct Scope {
    std::string kind; // "key", "team", "org"
    std::string name;
    std::string contact;              // whom to ask; teams only
    std::shared_ptr<Bucket> requests; // null: no requests-per-minute limit
};

struct Principal {
    std::string key_id;
    std::string key_alias;
    std::string team;
    std::string org;
    std::string contact;
    std::vector<std::string> key_models; // allow-lists; empty: all
    std::vector<std::string> team_models;
    std::vector<std::string> routes; // granted stateful groups
    std::optional<std::chrono::sys_seconds> expires;
    bool disabled = false;
    std::array<Scope, 3> scopes; // key, team, org: the order in which they are checked and reported
    config::CacheOverride key_cache;
    config::CacheOverride team_cache;
    std::uint32_t index = 0; // dense, for per-key metric handles
};

} // namespace tollgate::policy
