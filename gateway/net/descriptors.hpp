// What file descriptors are spent on (reliability F61, T20): a client may need a second one for its upstream call, and
// store, logs, name look-ups and the metrics listener must never find none left.
#pragma once

#include <cstdint>

namespace tollgate::net {

inline constexpr std::uint64_t kReservedDescriptors = 64;

struct DescriptorBudget {
    std::uint64_t limit = 0;    // RLIMIT_NOFILE
    unsigned clients = 1;       // connections on the api listener
    unsigned idle_upstream = 1; // connections kept for later calls, all workers and providers together
    unsigned crowded = 1;       // with more clients than that no connection is kept for later calls
};

// Pure. Clients, as many upstream calls and the reserve fit the limit; up to `crowded` the idle connections do too.
[[nodiscard]] DescriptorBudget descriptor_budget(std::uint64_t limit) noexcept;

// Raises this process's limit as far as it may; returns what it is now.
std::uint64_t raise_descriptor_limit() noexcept;

} // namespace tollgate::net
