// What was spent, for restoring the counters of budgets at a start.
//
// An operation belongs to the period in which it was ADMITTED (Admit::at_us, again in Settle::admitted_us; limits-cache
// §2.2), so a settle behind the end of a period is in that period, and a second ADMIT of a request repeats the instant
// of the first. An adjustment belongs to the period of its own instant, to its org, team and key, and to no model.
//
// The table is what is asked. At a start, in this order: Ledger::open(), a settle for each of recovered(), flush(),
// and then these; what was admitted and not settled is the caller's `held`.
#pragma once

#include "policy/ledger/query.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::policy::ledger {

// One scope: what is set in `only` has to be equal: an org, team, key or model, or a pair.
struct SpendQuery {
    Only only;
    std::int64_t begin_us = 0; // wall time, [begin, end)
    std::int64_t end_us = 0;
};

// Nano-USD, exact for any begin and end: whole UTC days and hours from the roll-ups, the ends from the rows. Costs that
// are unknown are not in it. Where retention dropped the rows, an hour counts as a whole if any of it is inside: never
// too little. Blocks on the disk, for the roll-ups of every day inside; safe beside the writer, also of another
// process.
[[nodiscard]] std::expected<std::int64_t, std::string> spent_nano(const std::string& directory,
                                                                  const SpendQuery& query);

struct Spent {
    std::string name;  // of the org, team, key or model
    std::string model; // of a pair; empty: no pair, or an adjustment
    std::int64_t nano = 0;
};

// The same for every org, team, key or model at once (`scope`), or for each pair of one with a model: one pass, which a
// start with many keys needs. Ordered by name and model; who spent nothing is not in it. `scope`: one of those four.
[[nodiscard]] std::expected<std::vector<Spent>, std::string>
spent_by(const std::string& directory, By scope, bool with_model, std::int64_t begin_us, std::int64_t end_us);

} // namespace tollgate::policy::ledger
