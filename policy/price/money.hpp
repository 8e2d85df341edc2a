// Money as integers (limits-cache §2.1): amounts in nano-USD, prices in pico-USD for one unit. Pure; no binary
// fraction.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

namespace tollgate::policy {

using NanoUsd = std::int64_t; // 10^-9 USD: up to ±9.2 billion USD
using PicoUsd = std::int64_t; // 10^-12 USD

inline constexpr NanoUsd kMostNano = std::numeric_limits<NanoUsd>::max();

// Nothing if the sum does not fit. For counters, whose wrap-around would give credit.
[[nodiscard]] constexpr std::optional<NanoUsd> checked_add(NanoUsd a, NanoUsd b) noexcept {
    NanoUsd sum = 0;
    if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
    return sum;
}

// The nearest value that fits. For reservations and reports, where "more than can be counted" is an answer.
[[nodiscard]] constexpr NanoUsd saturating_add(NanoUsd a, NanoUsd b) noexcept {
    if (const auto sum = checked_add(a, b)) return *sum;
    return a < 0 ? std::numeric_limits<NanoUsd>::min() : kMostNano;
}

[[nodiscard]] constexpr NanoUsd saturating_subtract(NanoUsd a, NanoUsd b) noexcept {
    NanoUsd difference = 0;
    if (!__builtin_sub_overflow(a, b, &difference)) return difference;
    return a < 0 ? std::numeric_limits<NanoUsd>::min() : kMostNano;
}

// USD as the shortest decimal text that says the amount exactly: "0", "1.5", "-0.000000001".
[[nodiscard]] std::string format_usd(NanoUsd amount);

} // namespace tollgate::policy
