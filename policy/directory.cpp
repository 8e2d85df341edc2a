#include "policy/directory.hpp"

#include "policy/compile.hpp"
#include "policy/key_hash.hpp"
#include "policy/key_text.hpp"

#include <fmt/format.h>

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

void attach_buckets(Principal& principal, const std::array<config::Limits, 3>& limits, Limiter& limiter,
                    TimePoint now) {
    for (std::size_t i = 0; i < principal.scopes.size(); ++i) {
        Scope& scope = principal.scopes[i];
        if (limits[i].rpm) scope.requests = limiter.bucket(principal.org, scope.kind, scope.name, limits[i], now);
    }
}

void require_usable_limits(const CompiledKey& key) {
    for (std::size_t i = 0; i < key.limits.size(); ++i) {
        const config::Limits& limits = key.limits[i];
        if (!limits.rpm || (*limits.rpm > 0 && limits.burst.value_or(1) > 0)) continue;
        const Scope& scope = key.principal.scopes[i];
        throw std::invalid_argument(fmt::format(
            "{} \"{}\": rpm and burst must be at least 1; to shut a key out, disable it", scope.kind, scope.name));
    }
}

} // namespace

Directory::Directory(const config::Config& config, const std::vector<StoredKey>& stored, Limiter& limiter,
                     const std::array<std::uint8_t, 32>& pepper, TimePoint now)
    : pepper_(text(pepper)), index_(config.keys.size() + stored.size()) {
    std::vector<CompiledKey> keys = compile_keys(config, stored);
    KeyHasher hasher(pepper_.reveal());
    for (std::uint32_t i = 0; i < keys.size(); ++i) {
        require_usable_limits(keys[i]);
        const std::optional<std::uint32_t> twin = index_.insert(hasher.of_sha256(keys[i].sha256), i);
        if (!twin) continue;
        throw std::invalid_argument(fmt::format("keys \"{}\" ({}) and \"{}\" ({}) have the same secret",
                                                keys[*twin].principal.key_id, keys[*twin].origin,
                                                keys[i].principal.key_id, keys[i].origin));
    }
    principals_.reserve(keys.size());
    for (CompiledKey& key : keys) {
        key.principal.index = static_cast<std::uint32_t>(principals_.size());
        attach_buckets(key.principal, key.limits, limiter, now);
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

const std::vector<Principal>& Directory::principals() const {
    return principals_;
}

} // namespace tollgate::policy
