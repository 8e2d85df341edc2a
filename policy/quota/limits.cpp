#include "policy/quota/limits.hpp"

#include <fmt/format.h>

#include <array>
#include <stdexcept>

namespace tollgate::policy::quota {
namespace {

[[noreturn]] void refuse(const ScopeSpec& spec, const LimitSpec& limit, std::string_view why) {
    throw std::invalid_argument(
        fmt::format("{} \"{}\", {} limit: {}", spec.kind, spec.name, to_string(limit.dimension), why));
}

void validate_limit(const ScopeSpec& spec, const LimitSpec& limit) {
    if (is_rate(limit.dimension)) {
        if (limit.limit < 1 || limit.burst.value_or(1) < 1) refuse(spec, limit, "rate and burst must be at least 1");
        if (limit.limit > kMaxRate || limit.burst.value_or(1) > kMaxRate) refuse(spec, limit, "too large");
    }
    if (limit.limit < 0 || limit.limit > kMaxLimit) refuse(spec, limit, "out of range");
    if (limit.raise) {
        const std::int64_t most = is_rate(limit.dimension) ? kMaxRate : kMaxLimit;
        if (limit.raise->extra < 0 || limit.raise->extra > most - limit.limit)
            refuse(spec, limit, "raise out of range");
    }
    if ((limit.dimension == Dimension::money) != (limit.period != nullptr))
        refuse(spec, limit, "money needs a period, everything else has none");
}

} // namespace

std::string_view to_string(Dimension dimension) noexcept {
    constexpr std::array<std::string_view, kDimensions> kWords{"rpm",        "tpm",         "input_tpm",
                                                               "output_tpm", "concurrency", "budget"};
    return kWords[static_cast<std::size_t>(dimension)];
}

Period Lifetime::at(WallTime /*wall*/) const {
    return {.id = "lifetime", .begin = WallTime::min(), .end = WallTime::max(), .counted_until = WallTime::max()};
}

ScopeSpec pair_scope(std::string_view kind, std::string_view name, std::string_view model) {
    return {.kind = fmt::format("{}|model", kind), .name = fmt::format("{}:{}|model:{}", kind, name, model)};
}

void validate(const ScopeSpec& spec) {
    for (std::size_t i = 0; i < spec.limits.size(); ++i) {
        const LimitSpec& limit = spec.limits[i];
        validate_limit(spec, limit);
        for (std::size_t k = 0; k < i; ++k) {
            const LimitSpec& other = spec.limits[k];
            if (other.dimension == limit.dimension && other.window == limit.window)
                refuse(spec, limit, fmt::format("the window \"{}\" occurs twice", limit.window));
        }
    }
}

} // namespace tollgate::policy::quota
