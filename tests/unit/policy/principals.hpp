// Principals built by hand for the limiter's tests.
#pragma once

#include "policy/limiter.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace tollgate::policy {

inline constexpr TimePoint kStart{std::chrono::seconds(1'000)};

inline config::Limits rpm(std::uint64_t rate, std::optional<std::uint64_t> burst = std::nullopt) {
    return {.rpm = rate, .burst = burst};
}

struct ScopeLimits {
    std::optional<config::Limits> key = std::nullopt;
    std::optional<config::Limits> team = std::nullopt;
    std::optional<config::Limits> org = std::nullopt;
};

inline Principal principal_of(const std::string& key) {
    Principal principal;
    principal.key_id = key;
    principal.team = "search";
    principal.org = "default";
    principal.scopes = {Scope{"key", key, {}, nullptr}, Scope{"team", "search", {}, nullptr},
                        Scope{"org", "default", {}, nullptr}};
    return principal;
}

// Key k_demo of team search of org default.
inline Principal limited(Limiter& limiter, const ScopeLimits& limits, TimePoint now = kStart) {
    Principal principal = principal_of("k_demo");
    const std::optional<config::Limits>* const all[] = {&limits.key, &limits.team, &limits.org};
    for (std::size_t i = 0; i < principal.scopes.size(); ++i) {
        Scope& scope = principal.scopes[i];
        if (*all[i]) scope.requests = limiter.bucket("default", scope.kind, scope.name, **all[i], now);
    }
    return principal;
}

} // namespace tollgate::policy
