// Private to policy/ledger: the text of an operation's row in the usage table.
#pragma once

#include "policy/ledger/table.hpp"

#include <array>
#include <cstddef>
#include <string_view>

namespace tollgate::policy::ledger {

// The provider that answered, or else the one that was asked.
[[nodiscard]] std::string_view provider_of(const Operation& operation) noexcept;

// Of the largest row: each octet of each text escaped in six, quotes, commas and digits.
inline constexpr std::size_t kMostTexts = 22 + kMaxPeriods + 2 * kMaxAttempts;
inline constexpr std::size_t kMostNumbers = 24 + 7 * kMaxAttempts;
using RowBuffer = std::array<char, kMostTexts * (6 * kMaxName + 4) + kMostNumbers * 21 + 64>;

// A JSON array: what the views of table_sql.hpp read by position, then the attempts, an array each. What is not known
// is null. Texts are clipped to what a record keeps of a name.
[[nodiscard]] std::string_view write_row(const Operation& operation, RowBuffer& buffer);

} // namespace tollgate::policy::ledger
