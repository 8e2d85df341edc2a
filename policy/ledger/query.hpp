// Questions to the usage table. Each call opens the files it needs and blocks on the disk: any thread but a worker's.
// Writers are not held up (WAL). What is in the segments and not yet in the table (≤ 100 ms) is not seen.
#pragma once

#include "policy/ledger/table.hpp"

#include <cstdint>
#include <deque>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::policy::ledger {

enum class By : std::uint8_t { all, org, team, key, model, provider, operation, day, outcome, cache };
[[nodiscard]] std::string_view to_string(By by) noexcept;
[[nodiscard]] std::optional<By> parse_by(std::string_view word) noexcept;

struct Totals {
    std::string name; // what `by` says; empty for By::all, and for adjustments where they have no such thing
    std::int64_t requests = 0;
    std::int64_t in_tokens = 0; // of requests whose tokens are known
    std::int64_t out_tokens = 0;
    std::int64_t cost_nano = 0; // of requests whose cost is known, adjustments included
    std::int64_t unpriced = 0;  // requests without a known cost
    std::int64_t estimated = 0; // requests whose tokens were counted by us
    std::int64_t unmetered = 0; // requests without known tokens
    std::int64_t saved_nano = 0;
    std::int64_t ttft_us_sum = 0;
    std::int64_t duration_us_sum = 0;
    bool operator==(const Totals&) const = default;
};

// Of the operations admitted in [since_us, until_us), wall time, ordered by name. Whole hours come from the roll-up,
// the ends from the rows; where those were dropped, an end hour counts if it starts inside. Without anything: empty.
[[nodiscard]] std::expected<std::vector<Totals>, std::string> totals(const std::string& directory, By by,
                                                                     std::int64_t since_us, std::int64_t until_us);

// An operation as it is in the table. Views point into `texts`; moving keeps them.
struct StoredOperation {
    std::deque<std::string> texts;
    Operation operation;

    StoredOperation() = default;
    StoredOperation(StoredOperation&&) = default;
    StoredOperation& operator=(StoredOperation&&) = default;
    StoredOperation(const StoredOperation&) = delete;
    StoredOperation& operator=(const StoredOperation&) = delete;
};
// Looks through the days, the latest first.
[[nodiscard]] std::expected<std::optional<StoredOperation>, std::string> find_operation(const std::string& directory,
                                                                                        std::string_view request_id);

} // namespace tollgate::policy::ledger
