// Who is asking and what they may do: compiled once from the configuration, immutable, shared by all workers.
#pragma once

#include "config/config.hpp"
#include "gateway/base/error.hpp"
#include "gateway/base/time.hpp"
#include "policy/quota/counter_store.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tollgate::policy {

// What limits ask of the requests that they count.
struct LimitTraits {
    bool hard_money = false;    // a strict or last_call budget is among them
    bool counts_tokens = false; // … a limit of tokens, or any budget
    bool cuts_streams = false;  // … one that ends streams once it is used up

    void add(const LimitTraits& more) noexcept {
        hard_money |= more.hard_money;
        counts_tokens |= more.counts_tokens;
        cuts_streams |= more.cuts_streams;
    }
};

// Limits on one model that come on top of a principal's own: the model's, or a pair's.
struct ModelScope {
    quota::ScopeHandle handle;
    LimitTraits traits{};
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
    // Key, team, org, as far as they have limits: the order in which ties are reported. All of one store.
    std::vector<quota::ScopeHandle> scopes;
    LimitTraits traits{};                                  // of all of them
    std::vector<std::pair<std::string, ModelScope>> pairs; // by configured model: key|model, team|model, org|model
    config::CacheOverride key_cache;
    config::CacheOverride team_cache;
    std::uint32_t index = 0; // dense, for per-key metric handles
};

} // namespace tollgate::policy
