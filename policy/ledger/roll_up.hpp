// Private to policy/ledger: the roll-ups of one transaction, summed before they are written, so that a batch costs a
// statement for each line of them and not for each operation.
#pragma once

#include "policy/ledger/table.hpp"
#include "policy/sqlite.hpp"

#include <boost/unordered/unordered_flat_map.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>

namespace tollgate::policy::ledger {

// Of one day. Views belong to the caller until write().
class RollUp {
  public:
    // Prepares the statements.
    [[nodiscard]] sqlite::Result<void> open(sqlite::Database& database);

    // False: a sum does not fit into 64 bits.
    [[nodiscard]] bool add(const Operation& operation);
    [[nodiscard]] bool add(const Adjust& adjustment);
    // Inside the transaction of the rows. An error also if a day's sum does not fit into 64 bits.
    [[nodiscard]] sqlite::Result<void> write();
    // Forgets what was added, written or not.
    void clear();

  private:
    using Text = std::string_view;
    // hour | org, team, key, model, provider, operation, outcome, cache
    using HourKey = std::tuple<std::int64_t, std::array<Text, 8>>;
    // requests, in, out, cost, unpriced, estimated, unmetered, saved, time to first token, duration
    using Sums = std::array<std::int64_t, 10>;

    struct Hash {
        std::size_t operator()(const HourKey& key) const noexcept;
    };
    [[nodiscard]] bool add(const HourKey& key, const Sums& sums);
    [[nodiscard]] sqlite::Result<void> write_days();

    boost::unordered_flat_map<HourKey, Sums, Hash> hours_;
    sqlite::Statement hour_, day_;
};

} // namespace tollgate::policy::ledger
