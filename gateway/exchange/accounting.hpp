// What a request may use and what it used: limits, budgets and the ledger around one exchange (design §9).
#pragma once

#include "gateway/api/usage.hpp"
#include "gateway/base/error.hpp"
#include "policy/headers.hpp"
#include "policy/price/price.hpp"
#include "policy/quota/reservation.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace tollgate::exchange {

struct Exchange;

// Belongs to its exchange. Whatever way the exchange ends, the reservation's destructor settles it.
struct Account {
    policy::ToldLimits limits;
    policy::quota::Reservation reservation;
    std::shared_ptr<const policy::Price> prices;
    const policy::PriceEntry* price = nullptr; // of `prices`, in force when it was admitted; null: unpriced
    std::int64_t admitted_us = 0;              // wall time; 0: the ledger has no open operation of this exchange
    std::optional<std::int64_t> cost;          // nano-USD, once settled; absent: nothing was priced
    policy::quota::Estimate reserve{};         // what is charged where nobody knows what was used
    std::uint64_t hosted_calls = 0;            // of tools at the provider, at most, where the answer does not list them
    bool request_counted = false;              // by the limits on requests: not once more, whatever becomes of it
    bool strict_money = false;                 // a budget that may not be overspent counts
    bool counts_tokens = false;                // a limit of tokens or a budget does
    bool cuts_streams = false;                 // … that ends streams which find no room in it
    std::uint64_t bound_output = UINT64_MAX;   // tokens of output that servers do not exceed, if there is such a bound
    std::uint64_t covered_output = 0;          // … up to which every limit holds what the answer uses
    TimePoint next_progress{};
    bool capped = false; // a maximum was put into the request
};

// A denial that is known already is said before the body is read. Takes nothing.
[[nodiscard]] Result<void> peek(Exchange& ex);
// Takes from every limit and writes the ledger's ADMIT, or neither: a hit one request, everything else all it may use.
[[nodiscard]] Result<void> admit(Exchange& ex, bool hit);
// Of a stream: from time to time what it has used so far goes into the ledger, so that a crash does not charge it all
// it might have used.
void note_progress(Exchange& ex);
// What a usage comes to: its tokens, and its price if there is one.
[[nodiscard]] policy::quota::Estimate priced(const Exchange& ex, const api::Usage& usage);
// Of an answer under way: as reported, and counted where the provider has not told yet; `complete`: nothing more comes.
[[nodiscard]] api::Usage used_so_far(const Exchange& ex, bool complete = false);
// The record says which limit it was that refused, or cut.
void name_limit(Exchange& ex, const policy::quota::CounterState& state);
// Gives back what was not used and writes the ledger's SETTLE, from what metering has settled. Later calls do nothing.
void settle(Exchange& ex);

// What such a usage costs by the price of `ex`, nano-USD; below zero: it has none, or the usage is not known.
[[nodiscard]] std::int64_t list_price(const Exchange& ex, const api::Usage& usage);
// An answer that cost nothing: its row in the ledger and the money it saved, before its last octets leave. `saved` as
// above; `provider` answered the question when it was asked.
void record_served(Exchange& ex, std::int64_t saved, std::string_view provider);

} // namespace tollgate::exchange
