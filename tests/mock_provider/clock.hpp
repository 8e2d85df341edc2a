#pragma once

#include <cstdint>
#include <ctime>

namespace tollgate::mock {

/// Nanoseconds of CLOCK_MONOTONIC: comparable between processes of one machine.
inline std::int64_t now_ns() {
    timespec ts{};
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return std::int64_t{ts.tv_sec} * 1'000'000'000 + ts.tv_nsec;
}

inline constexpr std::int64_t kNsPerMs = 1'000'000;

} // namespace tollgate::mock
