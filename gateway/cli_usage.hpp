// `tollgate usage`: what was used and what it cost, from the ledger's table, also beside a running gateway.
#pragma once

#include "policy/ledger/query.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace tollgate::cli {

enum class Format : std::uint8_t { table, json, csv };
[[nodiscard]] std::optional<Format> parse_format(std::string_view word) noexcept;

// An instant in microseconds of wall time: "7d" and the other durations of the configuration (that long before `now`),
// "2026-10-05" (its start, UTC) or "2026-10-05T13:00:00Z". The error says what is wanted. Pure.
[[nodiscard]] std::expected<std::int64_t, std::string> parse_instant(std::string_view text, std::int64_t now_us);

// "team,model" → the columns. The error names the words there are. Pure.
[[nodiscard]] std::expected<std::vector<policy::ledger::By>, std::string> parse_columns(std::string_view text);

// Unknown tokens and cost are null, an empty field or "unknown", never 0; how many requests they are unknown of stands
// beside. Money: exact decimal USD. Names are escaped, whatever a client put into them. Pure.
[[nodiscard]] std::string render(Format format, const std::vector<policy::ledger::By>& by,
                                 const std::vector<policy::ledger::Totals>& totals);

// The command with its options; its callback sets `code`. `code` outlives the app.
void add_usage_command(CLI::App& app, int& code);

} // namespace tollgate::cli
