#include "policy/directory.hpp"

#include "policy/compile.hpp"
#include "policy/key_hash.hpp"
#include "policy/key_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

namespace tollgate::policy {
namespace {

std::string_view text(const std::array<std::uint8_t, 32>& octets) {
    return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

// Contexts are made once per thread; the pepper changes only with the master secret.
KeyHasher& thread_hasher(const Secret& pepper) {
    struct Cached {
        Secret pepper;
        std::optional<KeyHasher> hasher;
    };
    thread_local Cached cached;
    if (!cached.hasher || cached.pepper.reveal() != pepper.reveal()) {
        cached.hasher.emplace(pepper.reveal());
        cached.pepper = pepper;
    }
    return *cached.hasher;
}

// Limits on a model hold for all orgs together, so then all of them are decided under one lock.
const std::string kSharedStore = "*";

std::string_view owner_of(const Principal& principal, std::string_view kind) {
    kind = kind.substr(0, kind.find('|'));
    if (kind == "key") return principal.key_id;
    return kind == "team" ? principal.team : principal.org;
}

LimitTraits traits_of(const quota::LimitSpec& limit) {
    using quota::Dimension;
    using quota::Mode;
    const bool money = limit.dimension == Dimension::money;
    const bool tokens = quota::is_rate(limit.dimension) && limit.dimension != Dimension::requests;
    return {.hard_money = money && !limit.shadow && (limit.mode == Mode::strict || limit.mode == Mode::last_call),
            .counts_tokens = money || tokens,
            .cuts_streams = (money || tokens) && limit.cut && !limit.shadow && limit.mode != Mode::soft};
}

// Scopes into the engine, and each budget once into the list.
class Definer {
  public:
    Definer(quota::Engine& engine, std::vector<BudgetPlace>& budgets, quota::Moment now)
        : engine_(engine), budgets_(budgets), now_(now) {}

    ModelScope define(const std::string& store, CompiledScope scope, std::string_view owner) {
        ModelScope made;
        for (const quota::LimitSpec& limit : scope.spec.limits) made.traits.add(traits_of(limit));
        const std::size_t first = budgets_.size();
        if (noted_.emplace(scope.spec.kind, scope.spec.name).second) note(store, scope, owner);
        made.handle = engine_.define(store, std::move(scope.spec), now_);
        for (std::size_t i = first; i < budgets_.size(); ++i) budgets_[i].scope = made.handle;
        return made;
    }

  private:
    void note(const std::string& store, const CompiledScope& scope, std::string_view owner) {
        for (const quota::LimitSpec& limit : scope.spec.limits) {
            if (limit.dimension != quota::Dimension::money) continue;
            budgets_.push_back({.store = store,
                                .kind = scope.spec.kind,
                                .name = scope.spec.name,
                                .window = limit.window,
                                .owner = std::string(owner),
                                .model = scope.model,
                                .period = limit.period,
                                .scope = {}});
        }
    }

    quota::Engine& engine_;
    std::vector<BudgetPlace>& budgets_;
    const quota::Moment now_;
    std::set<std::pair<std::string, std::string>> noted_;
};

[[noreturn]] void refuse_twins(const CompiledKey& one, const CompiledKey& other) {
    throw std::invalid_argument(fmt::format("keys \"{}\" ({}) and \"{}\" ({}) have the same secret",
                                            one.principal.key_id, one.origin, other.principal.key_id, other.origin));
}

} // namespace

Directory::Directory(const config::Config& config, const std::vector<StoredKey>& stored, quota::Engine& engine,
                     const std::array<std::uint8_t, 32>& pepper, quota::Moment now)
    : pepper_(text(pepper)), index_(config.keys.size() + 2 * stored.size()) {
    std::vector<CompiledKey> keys = compile_keys(config, stored);
    KeyHasher hasher(pepper_.reveal());
    for (std::uint32_t i = 0; i < keys.size(); ++i) {
        for (const CompiledScope& scope : keys[i].scopes) quota::validate(scope.spec);
        const std::optional<std::uint32_t> twin = index_.insert(hasher.of_sha256(keys[i].sha256), i);
        if (twin) refuse_twins(keys[*twin], keys[i]);
    }
    for (std::uint32_t i = 0; i < keys.size(); ++i) {
        if (!keys[i].former) continue;
        const auto place = static_cast<std::uint32_t>(keys.size() + former_.size());
        const auto twin = index_.insert(hasher.of_sha256(keys[i].former->sha256), place);
        if (twin) refuse_twins(keys[*twin < keys.size() ? *twin : former_[*twin - keys.size()].principal], keys[i]);
        former_.push_back({i, keys[i].former->until});
    }
    std::vector<CompiledScope> models = compile_models(config);
    for (const CompiledScope& scope : models) quota::validate(scope.spec);
    const bool shared = !models.empty();
    Definer definer(engine, budgets_, now);
    for (CompiledScope& scope : models) {
        std::string model = scope.model;
        ModelScope made = definer.define(kSharedStore, std::move(scope), {});
        models_.emplace(std::move(model), std::move(made));
    }
    principals_.reserve(keys.size());
    for (CompiledKey& key : keys) {
        key.principal.index = static_cast<std::uint32_t>(principals_.size());
        const std::string& store = shared ? kSharedStore : key.principal.org;
        for (CompiledScope& scope : key.scopes) {
            const std::string model = scope.model;
            const std::string_view owner = owner_of(key.principal, scope.spec.kind);
            ModelScope made = definer.define(store, std::move(scope), owner);
            if (!model.empty()) {
                key.principal.pairs.emplace_back(model, std::move(made));
                continue;
            }
            key.principal.traits.add(made.traits);
            key.principal.scopes.push_back(std::move(made.handle));
        }
        principals_.push_back(std::move(key.principal));
    }
}

Result<const Principal*> Directory::authenticate(std::string_view presented, std::chrono::sys_seconds now) const {
    if (presented.empty()) return fail(no_key_error());
    if (!hashable_key(presented)) return fail(unreadable_key_error());
    if (!plausible_key(presented)) return fail(mistyped_key_error(presented));
    const std::optional<std::uint32_t> found = index_.find(thread_hasher(pepper_).of_secret(presented));
    const Former* const former =
        found && *found >= principals_.size() ? &former_[*found - principals_.size()] : nullptr;
    const Principal* const principal = found ? &principals_[former != nullptr ? former->principal : *found] : nullptr;
    const bool valid = principal != nullptr && !principal->disabled &&
                       (!principal->expires || now < *principal->expires) && (former == nullptr || now < former->until);
    if (!valid) return fail(invalid_key_error(presented));
    return principal;
}

ScopeList Directory::scopes_for(const Principal& principal, std::string_view model) const {
    ScopeList all(principal);
    if (model.empty()) return all;
    for (const auto& [name, scope] : principal.pairs) {
        if (name == model) all.add(scope);
    }
    if (models_.empty()) return all;
    if (const auto found = models_.find(model); found != models_.end()) all.add(found->second);
    return all;
}

const std::vector<Principal>& Directory::principals() const {
    return principals_;
}

} // namespace tollgate::policy
