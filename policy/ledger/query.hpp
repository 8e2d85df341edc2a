// Questions to the usage table. Each call opens the files it needs and blocks on the disk: any thread but a worker's.
// Writers are not held up (WAL). What is in the segments and not yet in the table (≤ 100 ms) is not seen.
#pragma once

#include "policy/ledger/table.hpp"

#include <cstdint>
#include <expected>
#include <forward_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::policy::ledger {

enum class By : std::uint8_t { all, org, team, key, model, provider, operation, day, outcome, cache, hour };
inline constexpr std::size_t kByCount = 11;
inline constexpr std::size_t kMostBy = 3; // columns of one question
[[nodiscard]] std::string_view to_string(By by) noexcept;
[[nodiscard]] std::optional<By> parse_by(std::string_view word) noexcept;

struct Totals {
    // One for each `by`: "2026-10-05" for a day, "2026-10-05T13:00Z" for an hour; empty for By::all, and for
    // adjustments where they have no such thing.
    std::vector<std::string> names;
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

// Those that are set must be equal; views live as long as the call.
struct Only {
    std::optional<std::string_view> org, team, key, model;
};

// Of the operations admitted in [since_us, until_us), wall time. Whole hours come from the roll-up, the ends from the
// rows. Where retention dropped those, an end hour counts if it starts inside, or, `cautious`, if any of it is inside.
struct UsageQuery {
    std::int64_t since_us = 0;
    std::int64_t until_us = 0;
    std::vector<By> by; // at most kMostBy; none: one sum of everything
    Only only;
    bool cautious = false;
};

// Ordered by names. Without anything: empty. A sum that does not fit into 64 bits is an error.
[[nodiscard]] std::expected<std::vector<Totals>, std::string> totals(const std::string& directory,
                                                                     const UsageQuery& query);
[[nodiscard]] std::expected<std::vector<Totals>, std::string> totals(const std::string& directory, By by,
                                                                     std::int64_t since_us, std::int64_t until_us);

// An operation as it is in the table. Views point into `texts`; moving keeps them.
struct StoredOperation {
    std::forward_list<std::string> texts;
    Operation operation;

    StoredOperation() = default;
    StoredOperation(StoredOperation&&) noexcept = default;
    StoredOperation& operator=(StoredOperation&&) noexcept = default;
    StoredOperation(const StoredOperation&) = delete;
    StoredOperation& operator=(const StoredOperation&) = delete;
};
// Looks through the days, the latest first.
[[nodiscard]] std::expected<std::optional<StoredOperation>, std::string> find_operation(const std::string& directory,
                                                                                        std::string_view request_id);

} // namespace tollgate::policy::ledger
