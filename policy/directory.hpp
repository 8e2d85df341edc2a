// Key → Principal, and the one question asked before every upstream attempt: may(principal, route, model).
#pragma once

#include "gateway/base/secret.hpp"
#include "policy/key_index.hpp"
#include "policy/principal.hpp"
#include "policy/quota/engine.hpp"
#include "policy/stored_key.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::policy {

// `tg_<8 public id>_<32 base62><6 base62 CRC32>` (design §8). Random from the system.
struct GeneratedKey {
    std::string id;     // "k_<8 public id>"
    std::string secret; // shown once
};
[[nodiscard]] GeneratedKey generate_key();
// False only for text that starts like a generated key and fails its checksum: a typo, refused without a lookup.
[[nodiscard]] bool plausible_key(std::string_view presented) noexcept;
[[nodiscard]] std::string sha256_hex(std::string_view secret);

// A budget, as far as it takes to count again what was spent of it.
struct BudgetPlace {
    std::string store; // of the engine
    std::string kind, name, window;
    std::string owner; // name of the key, team, org; empty for a model's own
    std::string model; // of a pair, or the model itself
    std::shared_ptr<const quota::PeriodRule> period;
    quota::ScopeHandle scope;
};

// Everything that limits one request, in the order in which ties are reported.
class ScopeList {
  public:
    explicit ScopeList(const Principal& principal) : plain_(principal.scopes), traits_(principal.traits) {}
    void add(const ModelScope& more) {
        if (all_.empty()) all_.assign(plain_.begin(), plain_.end());
        all_.push_back(more.handle);
        traits_.add(more.traits);
    }
    [[nodiscard]] std::span<const quota::ScopeHandle> view() const { return all_.empty() ? plain_ : all_; }
    [[nodiscard]] const LimitTraits& traits() const { return traits_; }

  private:
    std::span<const quota::ScopeHandle> plain_;
    std::vector<quota::ScopeHandle> all_; // only with limits on the model
    LimitTraits traits_;
};

// Immutable after construction; any thread may read. Principals stay where they are as long as the Directory lives.
class Directory {
  public:
    // pepper: HKDF(master, "key-pepper/v1"). Throws std::invalid_argument, with text for the operator, if two keys
    // share an id or a secret, a key has no usable secret, a limit is unusable, or a stored key's team is gone;
    // `engine` is untouched then. Scopes are defined in it at once: a load that can still fail must not have come here
    // yet. A team or org without an entry is taken with defaults: no limits, no allow-list, org "default"; an empty
    // team is "default".
    Directory(const config::Config& config, const std::vector<StoredKey>& stored, quota::Engine& engine,
              const std::array<std::uint8_t, 32>& pepper, quota::Moment now);

    // Constant work for unknown, disabled and expired keys: same message, same cost (R1). Presented text of more
    // than 256 octets is refused without hashing. A key is expired from the second `expires` on, a secret that was
    // rotated away from the second its grace ends.
    [[nodiscard]] Result<const Principal*> authenticate(std::string_view presented, std::chrono::sys_seconds now) const;

    [[nodiscard]] const std::vector<Principal>& principals() const; // principals()[i].index == i

    // Each budget once.
    [[nodiscard]] const std::vector<BudgetPlace>& budgets() const { return budgets_; }

    // What limits this principal's requests to a configured model; an empty name: requests without one. Valid as long
    // as both are.
    [[nodiscard]] ScopeList scopes_for(const Principal& principal, std::string_view model) const;

  private:
    Secret pepper_;
    std::vector<Principal> principals_;
    std::map<std::string, ModelScope, std::less<>> models_; // configured models with limits of their own
    std::vector<BudgetPlace> budgets_;
    struct Former {
        std::uint32_t principal;
        std::chrono::sys_seconds until;
    };
    std::vector<Former> former_; // secrets rotated away; in the index behind the principals
    KeyIndex index_;
};

// May this principal use this model on this route group (empty group: stateless route)? Both allow-lists must agree. An
// empty model is not judged. Groups that spend outside the request path are refused for keys with a model list that
// does not have `*` (design §8). Errors: 403 policy_model_blocked with up to five allowed models nearest in name (of
// `known`), or policy_access_denied.
[[nodiscard]] Result<void> may(const Principal& principal, std::string_view route_group, std::string_view model,
                               const std::vector<std::string>& known);

// The names in `known` both allow-lists permit, in their order; patterns (`ft:*`) are not models and are left out.
[[nodiscard]] std::vector<std::string> visible_models(const Principal& principal,
                                                      const std::vector<std::string>& known);

} // namespace tollgate::policy
