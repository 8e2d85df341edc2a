#include "policy/directory.hpp"

#include "policy/compile.hpp"
#include "policy/key_hash.hpp"
#include "policy/key_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
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

bool is_hard_money(const quota::LimitSpec& limit) {
    return limit.dimension == quota::Dimension::money && !limit.shadow &&
           (limit.mode == quota::Mode::strict || limit.mode == quota::Mode::last_call);
}

} // namespace

Directory::Directory(const config::Config& config, const std::vector<StoredKey>& stored, quota::Engine& engine,
                     const std::array<std::uint8_t, 32>& pepper, quota::Moment now)
    : pepper_(text(pepper)), index_(config.keys.size() + stored.size()) {
    std::vector<CompiledKey> keys = compile_keys(config, stored);
    KeyHasher hasher(pepper_.reveal());
    for (std::uint32_t i = 0; i < keys.size(); ++i) {
        for (const quota::ScopeSpec& scope : keys[i].scopes) quota::validate(scope);
        const std::optional<std::uint32_t> twin = index_.insert(hasher.of_sha256(keys[i].sha256), i);
        if (!twin) continue;
        throw std::invalid_argument(fmt::format("keys \"{}\" ({}) and \"{}\" ({}) have the same secret",
                                                keys[*twin].principal.key_id, keys[*twin].origin,
                                                keys[i].principal.key_id, keys[i].origin));
    }
    principals_.reserve(keys.size());
    for (CompiledKey& key : keys) {
        key.principal.index = static_cast<std::uint32_t>(principals_.size());
        for (quota::ScopeSpec& scope : key.scopes) {
            if (std::ranges::any_of(scope.limits, is_hard_money)) key.principal.hard_money = true;
            key.principal.scopes.push_back(engine.define(key.principal.org, std::move(scope), now));
        }
        principals_.push_back(std::move(key.principal));
    }
}

Result<const Principal*> Directory::authenticate(std::string_view presented, std::chrono::sys_seconds now) const {
    if (presented.empty()) return fail(no_key_error());
    if (!hashable_key(presented)) return fail(unreadable_key_error());
    if (!plausible_key(presented)) return fail(mistyped_key_error(presented));
    const std::optional<std::uint32_t> found = index_.find(thread_hasher(pepper_).of_secret(presented));
    const Principal* const principal = found ? &principals_[*found] : nullptr;
    const bool valid =
        principal != nullptr && !principal->disabled && (!principal->expires || now < *principal->expires);
    if (!valid) return fail(invalid_key_error(presented));
    return principal;
}

ScopeList Directory::scopes_for(const Principal& principal, std::string_view model) const {
    ScopeList all(principal.scopes, principal.hard_money);
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
