// What Redis calls the things that belong to one question. The braces keep them in one slot of a cluster, because one
// script reads several of them.
#pragma once

#include "cache/entry.hpp"
#include "gateway/base/crypto.hpp"

#include <string>
#include <string_view>

namespace tollgate::cache {

[[nodiscard]] inline std::string redis_name(const std::string& prefix, std::string_view kind, const Key& key) {
    return prefix + std::string(kind) + ":{" + crypto::to_hex(key) + "}";
}

inline constexpr std::string_view kEntryKind = "c";       // the sealed answer
inline constexpr std::string_view kLeaseKind = "f";       // the epoch of the process that makes the call, or "-"
inline constexpr std::string_view kEpochKind = "fe";      // the latest epoch
inline constexpr std::string_view kNewsKind = "fd";       // channel: an answer was kept, or a lease given back
inline constexpr std::string_view kIdempotencyKind = "i"; // the question that an Idempotency-Key stands for

} // namespace tollgate::cache
