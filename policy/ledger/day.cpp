#include "policy/ledger/day.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>

namespace tollgate::policy::ledger {
namespace {

constexpr std::string_view kPrefix = "usage-";
constexpr std::string_view kSuffix = ".db";

std::optional<int> digits(std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || text.front() == '-') return std::nullopt;
    return value;
}

} // namespace

Day day_of(std::int64_t wall_us) noexcept {
    return std::chrono::floor<std::chrono::days>(
        std::chrono::sys_time<std::chrono::microseconds>(std::chrono::microseconds(wall_us)));
}

std::int64_t start_of(Day day) noexcept {
    return std::chrono::microseconds(day.time_since_epoch()).count();
}

std::int64_t hour_of(std::int64_t wall_us) noexcept {
    return std::chrono::floor<std::chrono::hours>(std::chrono::microseconds(wall_us)).count();
}

std::string to_string(Day day) {
    const std::chrono::year_month_day date(day);
    return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                       static_cast<unsigned>(date.day()));
}

std::optional<Day> parse_day(std::string_view text) noexcept {
    if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
    const auto year = digits(text.substr(0, 4));
    const auto month = digits(text.substr(5, 2));
    const auto day = digits(text.substr(8, 2));
    if (!year || !month || !day) return std::nullopt;
    const std::chrono::year_month_day date(std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day)));
    if (!date.ok()) return std::nullopt;
    return Day(date);
}

std::string day_file(const std::string& directory, Day day) {
    return fmt::format("{}/{}{}{}", directory, kPrefix, to_string(day), kSuffix);
}

std::expected<std::vector<Day>, std::string> list_days(const std::string& directory) {
    std::vector<Day> days;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) continue;
        const auto day =
            parse_day(std::string_view(name).substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size()));
        if (day) days.push_back(*day);
    }
    if (error) return std::unexpected(fmt::format("cannot list {}: {}", directory, error.message()));
    std::ranges::sort(days);
    return days;
}

} // namespace tollgate::policy::ledger
