#include "policy/price/money.hpp"

namespace tollgate::policy {

std::string format_usd(NanoUsd amount) {
    constexpr std::uint64_t kNanosPerUsd = 1'000'000'000;
    const bool negative = amount < 0;
    // The smallest value has no positive counterpart, so the magnitude is taken without a sign.
    const std::uint64_t magnitude =
        negative ? ~static_cast<std::uint64_t>(amount) + 1 : static_cast<std::uint64_t>(amount);
    std::string out = negative ? "-" : "";
    out += std::to_string(magnitude / kNanosPerUsd);
    const std::uint64_t rest = magnitude % kNanosPerUsd;
    if (rest == 0) return out;
    std::string fraction = std::to_string(rest);
    fraction.insert(0, 9 - fraction.size(), '0');
    fraction.erase(fraction.find_last_not_of('0') + 1);
    return out + "." + fraction;
}

} // namespace tollgate::policy
