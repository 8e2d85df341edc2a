// What an operator limits: dimensions, modes, periods and the scopes that carry them (design §9, limits-cache §2.2,
// §2.3).
#pragma once

#include "gateway/base/time.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::policy::quota {

using Nano = std::int64_t;           // nano-USD
__extension__ using Wide = __int128; // products of amounts, rates and nanoseconds

// Both clocks, read together: `steady` for rates and deadlines, `wall` for periods and temporary raises.
struct Moment {
    TimePoint steady{};
    WallTime wall{};
};

enum class Dimension : std::uint8_t { requests, tokens, input_tokens, output_tokens, concurrency, money };
inline constexpr std::size_t kDimensions = 6;

[[nodiscard]] std::string_view to_string(Dimension dimension) noexcept; // "rpm", "tpm", "input_tpm", …, "budget"
[[nodiscard]] constexpr bool is_rate(Dimension dimension) noexcept {
    return dimension != Dimension::concurrency && dimension != Dimension::money;
}

enum class Mode : std::uint8_t {
    strict,    // reserves an upper bound: never overspent
    balanced,  // reserves what is expected; what comes on top becomes debt
    last_call, // money: the last request may reserve whatever is left, one at a time. Elsewhere as strict
    soft,      // admits and flags
};

// One budget period. The id is part of the counter's name: a new period is a new counter, nothing is ever reset.
struct Period {
    std::string id;           // e.g. "2026-11"
    WallTime begin{};         // the request belongs to it if begin <= wall < end
    WallTime end{};           // WallTime::max(): lifetime
    WallTime counted_until{}; // rolling windows: spend of this slot counts until then; others: not after `end`

    [[nodiscard]] bool contains(WallTime wall) const noexcept { return begin <= wall && wall < end; }
    [[nodiscard]] bool rolling() const noexcept { return counted_until > end; }
};

// Calendar of one budget. Pure and thread-safe; called under the org's mutex, once per period and counter.
class PeriodRule {
  public:
    virtual ~PeriodRule() = default;
    [[nodiscard]] virtual Period at(WallTime wall) const = 0; // contains(wall)
};

// One period without an end.
class Lifetime final : public PeriodRule {
  public:
    [[nodiscard]] Period at(WallTime wall) const override;
};

struct Raise {
    std::int64_t extra = 0; // on top of `limit`
    WallTime until{};       // exclusive
};

struct LimitSpec {
    Dimension dimension = Dimension::requests;
    // Tells limits of one dimension apart and keeps their usage over edits: "minute" for rates, "month",
    // "day@Europe/Berlin" for money. Changing it makes another counter.
    std::string window = "minute";
    std::int64_t limit = 0;              // per minute | open at once | nano-USD per period
    std::optional<std::int64_t> burst{}; // rates only: bucket size; default: limit
    Mode mode = Mode::strict;
    bool shadow = false;                        // counts what it would have denied, denies nothing
    bool cut = false;                           // ends streams that find no room in it any more; else they may finish
    std::shared_ptr<const PeriodRule> period{}; // money only, required there
    std::optional<Raise> raise{};
};

// What a scope may be: metrics and alerts want words of a closed set in static storage.
inline constexpr std::array<std::string_view, 7> kScopeKinds{"key",       "team",       "org",      "model",
                                                             "key|model", "team|model", "org|model"};

struct ScopeSpec {
    std::string kind; // of kScopeKinds
    std::string name; // of a pair: "team:search|model:gpt-4o"
    std::string contact{};
    std::vector<LimitSpec> limits{};
};

// kind and name of a pair's scope.
[[nodiscard]] ScopeSpec pair_scope(std::string_view kind, std::string_view name, std::string_view model);

// Largest amount any limit may have; with it no sum or product of this folder leaves its type.
inline constexpr std::int64_t kMaxLimit = 1'000'000'000'000'000'000; // a billion USD
inline constexpr std::int64_t kMaxRate = 1'000'000'000'000;          // per minute, and of a burst

// Throws std::invalid_argument naming the scope: a rate or burst < 1 or too large, a negative limit, money without a
// period, two limits of one dimension and window.
void validate(const ScopeSpec& spec);

} // namespace tollgate::policy::quota
