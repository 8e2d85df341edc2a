// Whether a request fits, as a pure function of counters: the same whether they live in this process or in Redis.
#pragma once

#include "gateway/base/time.hpp"
#include "policy/quota/limits.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tollgate::policy::quota {

// What one request may use.
struct Estimate {
    std::int64_t input = 0;  // tokens
    std::int64_t output = 0; // tokens, of all choices together
    Nano nano = 0;

    friend bool operator==(const Estimate&, const Estimate&) = default;
};

// The client named no maximum: the gateway may inject one, and knows what a smaller one would cost.
struct OpenOutput {
    std::int64_t choices = 1;     // n
    Wide fixed_pico = 0;          // pico-USD that no cap changes: input, tools
    std::int64_t output_pico = 0; // pico-USD of one output token, at the dearest class and tier
};

struct Ask {
    std::int64_t requests = 1;
    std::int64_t slots = 1;             // of concurrency; 0 for a cache hit or a flight's follower
    Estimate upper{};                   // cannot be exceeded: what strict and last_call limits reserve
    std::optional<Estimate> expected{}; // what balanced and soft limits reserve; default: upper
    std::optional<OpenOutput> open_output{};
    bool guessed_output = false;   // the client named no maximum: `expected` is a guess
    bool unbounded_output = false; // … and nothing else is known to bound it: so is `upper`

    // One request that costs nothing: hits, followers, unmetered routes.
    [[nodiscard]] static Ask request_only();
    // The least a request to a model can be: for refusing before the body is read.
    [[nodiscard]] static Ask minimal();
};

// Whose limit it is. Immutable; lives as long as the scope.
struct LimitNames {
    std::string_view kind;
    std::string_view name;
    std::string_view window;
};

// One limit as it stands now. `used`, `full()` and the amounts asked for share a unit: kToken-ths for rates (so that
// refill is exact), else slots or nano-USD.
struct CounterState {
    const LimitNames* names = nullptr;
    Dimension dimension = Dimension::requests;
    Mode mode = Mode::strict;
    bool shadow = false;
    bool cut = false;            // streams that find no room are cut
    bool last_call_open = false; // a request that took the rest of this budget is still running
    bool last_call_own = false;  // … and it is the one that asks (top-up)
    std::int64_t limit = 0;      // with a temporary raise
    std::int64_t capacity = 0;   // burst; else the limit
    Wide used = 0;               // held included; may exceed full(): debt
    Nano held = 0;               // money only: the part of `used` that open reservations hold
    WallTime resets{};           // money only: end of the period; WallTime::max(): never

    [[nodiscard]] Wide unit() const;
    [[nodiscard]] Wide full() const { return capacity * unit(); }
};

struct Decision {
    bool admitted = true;
    Estimate upper{};                         // as capped
    Estimate expected{};                      // as capped; what balanced limits reserve
    std::optional<std::int64_t> output_cap{}; // per choice, to be injected upstream; only if admitted
    std::size_t violations = 0;               // of limits that are neither soft nor in shadow
    std::size_t worst = 0;                    // state whose violation waits longest; ties: the first. If any
    std::size_t soft_exceeded = 0;            // limits that let it pass although it does not fit
    std::size_t shadow_exceeded = 0;
};

// What one limit makes of it.
struct Verdict {
    std::int64_t amount = 0; // to be taken if admitted
    bool capped = false;     // last_call: took what was left
    bool exceeds = false;
    Duration wait{}; // meaningful if it exceeds; Duration::max(): waiting does not help
};

inline constexpr std::int64_t kSmallestCap = 256;              // output tokens per choice worth injecting
inline constexpr Duration kSlotWait = std::chrono::seconds(1); // nobody knows when a slot becomes free
inline constexpr std::int64_t kMaxTokens = 1'000'000'000;      // of one request; more is a defect or an attack
inline constexpr Nano kMaxNano = 1'000'000'000'000'000;        // one million USD

// Non-negative and not absurd (limits-cache scenario 21).
[[nodiscard]] bool plausible(const Estimate& amounts);

// One verdict per state, in the same order. Throws std::invalid_argument if an amount of the ask is not plausible.
[[nodiscard]] Decision decide(std::span<const CounterState> states, const Ask& ask, WallTime wall,
                              std::span<Verdict> verdicts);
// The part of `amounts` that counts for `dimension`; 0 for requests and concurrency.
[[nodiscard]] std::int64_t amount_of(const Estimate& amounts, Dimension dimension);

// Whether a stream that needs `more` of this limit, in its own amounts, has to end here.
[[nodiscard]] bool cuts(const CounterState& state, std::int64_t more);

// What the client is told about one limit.
struct LimitView {
    const LimitNames* names = nullptr;
    Dimension dimension = Dimension::requests;
    std::int64_t limit = 0;
    std::int64_t remaining = 0; // whole units, ≥ 0 under debt too
    Duration reset{};           // until nothing counts as used; zero for concurrency; max(): never
    Duration next{};            // until `remaining` is one larger; zero if it is full; rates only
};
[[nodiscard]] LimitView view_of(const CounterState& state, WallTime wall);
// Whether a smaller share of `a` is left than of `b`.
[[nodiscard]] bool tighter(const CounterState& a, const CounterState& b);

} // namespace tollgate::policy::quota
