// UTC days and hours of the usage table, and the file that holds a day.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::policy::ledger {

using Day = std::chrono::sys_days;

inline constexpr std::int64_t kMicrosPerHour = 3'600'000'000;

// Wall time in microseconds since 1970, also before it.
[[nodiscard]] Day day_of(std::int64_t wall_us) noexcept;
[[nodiscard]] std::int64_t start_of(Day day) noexcept;
[[nodiscard]] std::int64_t hour_of(std::int64_t wall_us) noexcept; // hours since 1970, rounded down

// "2026-10-05", and the way back; nothing for anything else.
[[nodiscard]] std::string to_string(Day day);
[[nodiscard]] std::optional<Day> parse_day(std::string_view text) noexcept;

// "usage-2026-10-05.db"
[[nodiscard]] std::string day_file(const std::string& directory, Day day);
// The days that have a file, in order.
[[nodiscard]] std::expected<std::vector<Day>, std::string> list_days(const std::string& directory);

} // namespace tollgate::policy::ledger
