// The ledger at start: what the last process left open is charged, and budgets continue where they were.
#pragma once

#include "policy/directory.hpp"
#include "policy/ledger/ledger.hpp"
#include "policy/quota/engine.hpp"

#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace tollgate {

// `<store>/ledger`. Every operation that was admitted and never settled is charged (design §9) and in the table when it
// returns. Errors are text for the operator. Blocks on the disk.
[[nodiscard]] std::expected<std::unique_ptr<policy::ledger::Ledger>, std::string>
open_ledger(const std::string& store_path);

// Raises each budget's counter to what the ledger knows was spent in its current period; never lowers one, so it may be
// repeated. Those that `known` has (null: none) have counted all along and are left alone. Adds the thresholds that are
// passed by it to `crossings`, whether it fails or not: nobody tells them again. The error says which budget could not
// be counted: then nobody may spend it. Blocks on the disk.
[[nodiscard]] std::expected<void, std::string>
restore_budgets(const policy::Directory& directory, const policy::Directory* known, policy::quota::Engine& engine,
                const std::string& ledger_path, policy::quota::Moment now,
                std::vector<policy::quota::Crossing>& crossings);

} // namespace tollgate
