#include "policy/quota/decision.hpp"

#include "policy/quota/debt_bucket.hpp"

#include <algorithm>
#include <stdexcept>

namespace tollgate::policy::quota {
namespace {

constexpr Duration kNeverFits = Duration::max();
constexpr Wide kPicoPerNano = 1'000;

void require_plausible(const Ask& ask) {
    bool ok = ask.requests >= 0 && ask.requests <= 1'000 && ask.slots >= 0 && ask.slots <= 1 && plausible(ask.upper);
    if (ask.expected) ok = ok && plausible(*ask.expected);
    if (ask.open_output) {
        const OpenOutput& open = *ask.open_output;
        ok = ok && open.choices >= 1 && open.choices <= kMaxTokens && open.fixed_pico >= 0 && open.output_pico >= 0 &&
             open.fixed_pico <= kMaxNano * kPicoPerNano;
    }
    if (!ok) throw std::invalid_argument("an estimate is negative or absurd");
}

Nano cost_of(const OpenOutput& open, std::int64_t output) {
    const Wide pico = open.fixed_pico + Wide{output} * open.output_pico;
    const Wide nano = (pico + kPicoPerNano - 1) / kPicoPerNano;
    return static_cast<Nano>(std::min<Wide>(nano, kMaxNano));
}

// Output tokens that still fit one strict limit, if the estimate does not. Budgets are capped to what is left of them;
// a bucket refills, so it is capped only to what it can ever hold (scenario 9).
std::optional<Wide> room_for_output(const CounterState& state, const Estimate& upper, const OpenOutput& open) {
    switch (state.dimension) {
    case Dimension::tokens:
        if (upper.input + upper.output <= state.capacity) return std::nullopt;
        return state.capacity - upper.input;
    case Dimension::output_tokens:
        if (upper.output <= state.capacity) return std::nullopt;
        return state.capacity;
    case Dimension::money: {
        const Wide left = state.full() - state.used;
        if (upper.nano <= left || open.output_pico == 0) return std::nullopt;
        return (left * kPicoPerNano - open.fixed_pico) / open.output_pico;
    }
    default: return std::nullopt;
    }
}

// Output per choice that every strict limit has room for; absent if the estimate fits as it is.
std::optional<Wide> fitting_cap(std::span<const CounterState> states, const Estimate& upper, const OpenOutput& open) {
    std::optional<Wide> cap;
    for (const CounterState& state : states) {
        if (state.mode != Mode::strict || state.shadow) continue;
        const std::optional<Wide> room = room_for_output(state, upper, open);
        if (!room) continue;
        const Wide per_choice = std::max<Wide>(0, *room) / open.choices;
        cap = cap ? std::min(*cap, per_choice) : per_choice;
    }
    return cap;
}

// A cap too small to be useful is raised to the smallest one that is: the limit then denies it by its own arithmetic,
// and what is reported is what the smallest acceptable request would have needed.
void apply_cap(Decision& decision, Wide fitting, const OpenOutput& open) {
    const std::int64_t cap = static_cast<std::int64_t>(std::max<Wide>(fitting, kSmallestCap));
    const std::int64_t output =
        std::min<Wide>(Wide{cap} * open.choices, kMaxTokens) == kMaxTokens ? kMaxTokens : cap * open.choices;
    if (output >= decision.upper.output) return;
    decision.output_cap = cap;
    decision.upper.output = output;
    decision.upper.nano = std::min(decision.upper.nano, cost_of(open, output));
    decision.expected.output = std::min(decision.expected.output, output);
    decision.expected.nano = std::min(decision.expected.nano, decision.upper.nano);
}

std::int64_t asked_of(const CounterState& state, const Ask& ask, const Decision& decision) {
    if (state.dimension == Dimension::requests) return ask.requests;
    if (state.dimension == Dimension::concurrency) return ask.slots;
    const bool expected = state.mode == Mode::balanced || state.mode == Mode::soft;
    const Estimate& amounts = expected ? decision.expected : decision.upper;
    const std::int64_t amount = amount_of(amounts, state.dimension);
    const bool guess = expected ? ask.guessed_output || ask.open_output : ask.unbounded_output;
    if (!guess || !is_rate(state.dimension)) return amount;
    // A guess must not make a request impossible that the client did not even size (scenario 9).
    const std::int64_t known = amount_of({.input = amounts.input}, state.dimension);
    return std::max(known, std::min(amount, state.capacity));
}

Duration wait_for(const CounterState& state, std::int64_t amount, WallTime wall) {
    const bool capped = state.mode == Mode::last_call && state.dimension == Dimension::money;
    if (amount > state.capacity && !(capped && state.capacity > 0)) return kNeverFits;
    if (state.dimension == Dimension::concurrency) return kSlotWait;
    if (is_rate(state.dimension)) return time_to_refill(state.used + amount * state.unit() - state.full(), state.limit);
    if (state.resets == WallTime::max()) return kNeverFits;
    return std::max(Duration::zero(), std::chrono::duration_cast<Duration>(state.resets - wall));
}

Verdict judge(const CounterState& state, const Ask& ask, const Decision& decision, WallTime wall) {
    Verdict verdict{.amount = asked_of(state, ask, decision)};
    if (verdict.amount == 0 || state.used + verdict.amount * state.unit() <= state.full()) return verdict;
    if (state.mode == Mode::last_call && state.dimension == Dimension::money) {
        const Wide left = state.full() - state.used;
        if (state.last_call_own || (left > 0 && !state.last_call_open)) {
            verdict.amount = static_cast<std::int64_t>(std::max<Wide>(left, 0));
            verdict.capped = true;
            return verdict;
        }
    }
    verdict.exceeds = true;
    verdict.wait = wait_for(state, verdict.amount, wall);
    return verdict;
}

} // namespace

Ask Ask::request_only() {
    return {.slots = 0};
}

Ask Ask::minimal() {
    return {.upper = {.input = 1, .output = 0, .nano = 1}};
}

Wide CounterState::unit() const {
    return is_rate(dimension) ? kToken : 1;
}

bool plausible(const Estimate& amounts) {
    return amounts.input >= 0 && amounts.input <= kMaxTokens && amounts.output >= 0 && amounts.output <= kMaxTokens &&
           amounts.nano >= 0 && amounts.nano <= kMaxNano;
}

std::int64_t amount_of(const Estimate& amounts, Dimension dimension) {
    switch (dimension) {
    case Dimension::tokens: return amounts.input + amounts.output;
    case Dimension::input_tokens: return amounts.input;
    case Dimension::output_tokens: return amounts.output;
    case Dimension::money: return amounts.nano;
    default: return 0;
    }
}

Decision decide(std::span<const CounterState> states, const Ask& ask, WallTime wall, std::span<Verdict> verdicts) {
    require_plausible(ask);
    Decision decision;
    decision.upper = ask.upper;
    decision.expected = ask.expected.value_or(ask.upper);
    if (ask.open_output) {
        const std::optional<Wide> cap = fitting_cap(states, decision.upper, *ask.open_output);
        if (cap) apply_cap(decision, *cap, *ask.open_output);
    }
    for (std::size_t i = 0; i < states.size(); ++i) {
        verdicts[i] = judge(states[i], ask, decision, wall);
        if (!verdicts[i].exceeds) continue;
        if (states[i].shadow || states[i].mode == Mode::soft) {
            ++(states[i].shadow ? decision.shadow_exceeded : decision.soft_exceeded);
            continue;
        }
        if (decision.admitted || verdicts[i].wait > verdicts[decision.worst].wait) decision.worst = i;
        decision.admitted = false;
        ++decision.violations;
    }
    if (!decision.admitted) decision.output_cap.reset();
    return decision;
}

bool cuts(const CounterState& state, std::int64_t more) {
    if (!state.cut || state.shadow || state.mode == Mode::soft || more <= 0) return false;
    return state.used + more * state.unit() > state.full();
}

LimitView view_of(const CounterState& state, WallTime wall) {
    LimitView view{.names = state.names,
                   .dimension = state.dimension,
                   .limit = state.limit,
                   .remaining = static_cast<std::int64_t>(std::max<Wide>(0, state.full() - state.used) / state.unit())};
    if (state.dimension == Dimension::concurrency) return view;
    if (state.dimension == Dimension::money) {
        const bool endless = state.resets == WallTime::max();
        view.reset = endless ? Duration::max() : std::max(Duration::zero(), Duration(state.resets - wall));
        return view;
    }
    view.reset = time_to_refill(state.used, state.limit);
    if (state.used > 0) {
        const Wide wanted = state.full() - (view.remaining + 1) * kToken; // ≥ 0: used > 0 leaves less than all
        view.next = time_to_refill(state.used - wanted, state.limit);
    }
    return view;
}

bool tighter(const CounterState& a, const CounterState& b) {
    // Scaled down, a bucket's units fit 64 bits and the products 128. What that loses is less than a token.
    constexpr int kShift = 16;
    const auto scaled = [](const CounterState& state, Wide value) {
        return is_rate(state.dimension) ? value >> kShift : value;
    };
    return scaled(a, a.full() - a.used) * scaled(b, b.full()) < scaled(b, b.full() - b.used) * scaled(a, a.full());
}

} // namespace tollgate::policy::quota
