// Private to policy/ledger: the roll-ups of one transaction, summed before they are written, so that a batch costs a
// statement for each line of them and not for each operation.
#pragma once

#include "policy/ledger/table.hpp"
#include "policy/sqlite.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <string_view>
#include <tuple>

namespace tollgate::policy::ledger {

// The provider that answered, or else the one that was asked.
[[nodiscard]] std::string_view provider_of(const Operation& operation) noexcept;

// Of one day. Views belong to the caller until write().
class RollUp {
  public:
    // Prepares the statements.
    [[nodiscard]] sqlite::Result<void> open(sqlite::Database& database);

    // False: a sum does not fit into 64 bits.
    [[nodiscard]] bool add(const Operation& operation);
    [[nodiscard]] bool add(const Adjust& adjustment);
    // Inside the transaction of the rows.
    [[nodiscard]] sqlite::Result<void> write();
    // Forgets what was added, written or not.
    void clear();

  private:
    using Text = std::string_view;
    // hour | org, team, key, model, provider, operation, outcome, cache
    using HourKey = std::tuple<std::int64_t, std::array<Text, 8>>;
    // requests, in, out, cost, unpriced, estimated, unmetered, saved, time to first token, duration
    using Sums = std::array<std::int64_t, 10>;

    [[nodiscard]] bool add(const HourKey& key, const Sums& sums);

    std::map<HourKey, Sums> hours_;
    std::map<std::array<Text, 4>, std::int64_t> days_; // org, team, key, model
    sqlite::Statement hour_, day_;
};

} // namespace tollgate::policy::ledger
