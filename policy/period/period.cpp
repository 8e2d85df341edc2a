#include "policy/period/period.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace tollgate::policy {
namespace {

using namespace std::chrono;

// The clock counts nanoseconds in 64 bits, from 1677 to 2262.
WallTime to_wall(sys_seconds instant) noexcept {
    constexpr sys_seconds kFirst = ceil<seconds>(WallTime::min());
    constexpr sys_seconds kLast = floor<seconds>(WallTime::max());
    return WallTime(std::clamp(instant, kFirst, kLast));
}

constexpr std::int64_t floor_div(std::int64_t a, std::int64_t b) noexcept {
    return a / b - (a % b < 0 ? 1 : 0);
}

constexpr std::int64_t floor_mod(std::int64_t a, std::int64_t b) noexcept {
    return a - floor_div(a, b) * b;
}

// --- days and longer: the n-th period of the calendar begins on a date ---

year_month nth_month(std::int64_t n) noexcept {
    return year(1970) / January + months(n);
}

std::int64_t number_of(year_month month) noexcept {
    return (month - year(1970) / January).count();
}

std::int64_t months_in(PeriodKind kind) noexcept {
    return kind == PeriodKind::year ? 12 : kind == PeriodKind::quarter ? 3 : 1;
}

local_days first_week(const PeriodSpec& spec) noexcept {
    const local_days epoch{};
    return epoch + (spec.week_start - weekday(epoch));
}

local_days begin_of(const PeriodSpec& spec, std::int64_t n) noexcept {
    if (spec.kind == PeriodKind::day) return local_days(days(n));
    if (spec.kind == PeriodKind::week) return first_week(spec) + days(7 * n);
    const year_month month = nth_month(n * months_in(spec.kind));
    if (spec.kind != PeriodKind::month) return local_days(month / 1);
    const day last = (month / std::chrono::last).day();
    return local_days(month / std::min(day(spec.anchor_day), last));
}

// The period that a date belongs to, by the calendar alone.
std::int64_t number_of(const PeriodSpec& spec, local_days date) noexcept {
    if (spec.kind == PeriodKind::day) return date.time_since_epoch().count();
    if (spec.kind == PeriodKind::week) return floor_div((date - first_week(spec)).count(), 7);
    const year_month_day ymd(date);
    const std::int64_t n = floor_div(number_of(ymd.year() / ymd.month()), months_in(spec.kind));
    return begin_of(spec, n) > date ? n - 1 : n;
}

std::string label_of(const PeriodSpec& spec, std::int64_t n) {
    const year_month_day date(begin_of(spec, n));
    const int y = static_cast<int>(date.year());
    const unsigned m = static_cast<unsigned>(date.month());
    const std::string& zone = spec.zone.name();
    switch (spec.kind) {
    case PeriodKind::day: return fmt::format("day:{}:{:04}-{:02}-{:02}", zone, y, m, static_cast<unsigned>(date.day()));
    case PeriodKind::week:
        return fmt::format("week@{}:{}:{:04}-{:02}-{:02}", spec.week_start.iso_encoding(), zone, y, m,
                           static_cast<unsigned>(date.day()));
    case PeriodKind::month: return fmt::format("month@{}:{}:{:04}-{:02}", spec.anchor_day, zone, y, m);
    case PeriodKind::quarter: return fmt::format("quarter:{}:{:04}-Q{}", zone, y, (m + 2) / 3);
    default: return fmt::format("year:{}:{:04}", zone, y);
    }
}

// The last period that has begun by `now`. The calendar's own answer may be off by one: near a clock that goes back
// over midnight a date ends twice, and a date that was skipped at the date line begins and ends at once.
Period calendar_period(const PeriodSpec& spec, sys_seconds now) {
    const auto begins = [&](std::int64_t n) { return spec.zone.first_reaching(local_seconds(begin_of(spec, n))); };
    const local_seconds local((now + spec.zone.offset_at(now)).time_since_epoch());
    std::int64_t n = number_of(spec, floor<days>(local));
    sys_seconds start = begins(n);
    while (start > now) start = begins(--n);
    sys_seconds end = begins(n + 1);
    while (end <= now) {
        start = end;
        end = begins(++n + 1);
    }
    return {label_of(spec, n), to_wall(start), to_wall(end)};
}

// --- hours: whole ones of the local clock, which a change by part of an hour cuts short ---

Period hour_period(const PeriodSpec& spec, sys_seconds now) {
    constexpr std::int64_t kHour = 3'600;
    const auto phase = [&](sys_seconds at) { return floor_mod(spec.zone.offset_at(at).count(), kHour); };
    const std::int64_t here = phase(now);
    sys_seconds start = now - seconds(floor_mod(now.time_since_epoch().count() + here, kHour));
    sys_seconds end = start + hours(1);
    for (auto change = spec.zone.change_until(now); change && *change > start;
         change = spec.zone.change_until(*change - seconds(1))) {
        if (phase(*change - seconds(1)) == here) continue;
        start = *change;
        break;
    }
    for (auto change = spec.zone.change_after(now); change && *change < end; change = spec.zone.change_after(*change)) {
        if (phase(*change) == here) continue;
        end = *change;
        break;
    }
    const sys_days date = floor<days>(start);
    const year_month_day ymd(date);
    const hh_mm_ss time(start - date);
    return {fmt::format("hour:{}:{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", spec.zone.name(), static_cast<int>(ymd.year()),
                        static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()), time.hours().count(),
                        time.minutes().count(), time.seconds().count()),
            to_wall(start), to_wall(end)};
}

// --- the others ---

seconds part_of(const PeriodSpec& spec) noexcept {
    const seconds parts(spec.buckets);
    return seconds((spec.window + parts - seconds(1)) / parts);
}

Period rolling_part(const PeriodSpec& spec, std::int64_t n) {
    const seconds part = part_of(spec);
    return {fmt::format("rolling@{}/{}:{}", spec.window.count(), spec.buckets, n), to_wall(sys_seconds(n * part)),
            to_wall(sys_seconds((n + 1) * part))};
}

std::int64_t rolling_number(const PeriodSpec& spec, sys_seconds now) noexcept {
    return floor_div(now.time_since_epoch().count(), part_of(spec).count());
}

} // namespace

std::string problem_of(const PeriodSpec& spec) {
    switch (spec.kind) {
    case PeriodKind::week: return spec.week_start.ok() ? "" : "no such day of the week";
    case PeriodKind::month: return spec.anchor_day >= 1 && spec.anchor_day <= 31 ? "" : "the day is 1 to 31";
    case PeriodKind::rolling:
        if (spec.buckets < 1 || spec.buckets > 1'000) return "a rolling window has 1 to 1000 parts";
        if (spec.window > days(3'660)) return "a rolling window is at most ten years long";
        return spec.window >= seconds(spec.buckets) ? "" : "a part of a rolling window is at least a second long";
    case PeriodKind::fixed: return spec.from < spec.to ? "" : "it ends before it begins";
    default: return "";
    }
}

std::optional<Period> period_at(const PeriodSpec& spec, WallTime now) {
    const sys_seconds second = floor<seconds>(now);
    switch (spec.kind) {
    case PeriodKind::hour: return hour_period(spec, second);
    case PeriodKind::rolling: return rolling_part(spec, rolling_number(spec, second));
    case PeriodKind::lifetime: return Period{"lifetime", WallTime::min(), WallTime::max()};
    case PeriodKind::fixed: {
        const auto count = [](WallTime at) { return at.time_since_epoch().count(); };
        Period period{fmt::format("fixed@{}:{}", count(spec.from), count(spec.to)), spec.from, spec.to};
        if (!period.contains(now)) return std::nullopt;
        return period;
    }
    default: return calendar_period(spec, second);
    }
}

std::vector<Period> rolling_parts(const PeriodSpec& spec, WallTime now) {
    std::vector<Period> out;
    if (spec.kind != PeriodKind::rolling) return out;
    const std::int64_t current = rolling_number(spec, floor<seconds>(now));
    for (std::int64_t back = 0; back <= spec.buckets; ++back) out.push_back(rolling_part(spec, current - back));
    return out;
}

} // namespace tollgate::policy
