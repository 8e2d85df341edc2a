#include "policy/headers.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <limits>

namespace tollgate::policy {
namespace {

void append_number(std::string& out, std::uint64_t value) {
    std::array<char, std::numeric_limits<std::uint64_t>::digits10 + 1> digits{};
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    out.append(digits.data(), end);
}

using quota::Dimension;
using quota::LimitView;

// An IETF policy's name is a string of RFC 9651 §3.3.3; kinds and dimensions are words of ours: nothing to escape.
void append_policy_name(std::string& out, const LimitView& view) {
    out += '"';
    out += view.names->kind;
    out += '-';
    out += quota::to_string(view.dimension);
    out += '"';
}

// Milliseconds below one second as a decimal fraction without trailing zeros: 500 → ".5".
void append_fraction(std::string& out, std::uint64_t milliseconds) {
    if (milliseconds == 0) return;
    const char digits[] = {'.', static_cast<char>('0' + milliseconds / 100),
                           static_cast<char>('0' + milliseconds / 10 % 10), static_cast<char>('0' + milliseconds % 10)};
    std::size_t length = sizeof digits;
    while (digits[length - 1] == '0') --length;
    out.append(digits, length);
}

template <class Unit>
std::uint64_t whole_units(Duration duration) {
    return static_cast<std::uint64_t>(std::chrono::ceil<Unit>(std::max(duration, Duration::zero())).count());
}

void append_two_digits(std::string& out, unsigned value) {
    out += static_cast<char>('0' + value / 10);
    out += static_cast<char>('0' + value % 10);
}

// "2026-11-23T12:00:07Z", rounded up to whole seconds. By hand: it is on the way of every answer.
void append_rfc3339(std::string& out, WallTime time) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(time);
    const auto day = std::chrono::floor<std::chrono::days>(seconds);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(seconds - day);
    append_number(out, static_cast<std::uint64_t>(std::max(0, static_cast<int>(date.year()))));
    out += '-';
    append_two_digits(out, static_cast<unsigned>(date.month()));
    out += '-';
    append_two_digits(out, static_cast<unsigned>(date.day()));
    out += 'T';
    append_two_digits(out, static_cast<unsigned>(clock.hours().count()));
    out += ':';
    append_two_digits(out, static_cast<unsigned>(clock.minutes().count()));
    out += ':';
    append_two_digits(out, static_cast<unsigned>(clock.seconds().count()));
    out += 'Z';
}

// Requests and tokens as they are; money in whole USD.
std::uint64_t whole(const LimitView& view, std::int64_t value) {
    constexpr std::int64_t kNanoPerUsd = 1'000'000'000;
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, value) /
                                      (view.dimension == Dimension::money ? kNanoPerUsd : 1));
}

void append_openai_lines(std::string& out, const LimitView& view, std::string_view unit) {
    out += "x-ratelimit-limit-";
    out += unit;
    out += ": ";
    append_number(out, whole(view, view.limit));
    out += "\r\nx-ratelimit-remaining-";
    out += unit;
    out += ": ";
    append_number(out, whole(view, view.remaining));
    out += "\r\nx-ratelimit-reset-";
    out += unit;
    out += ": ";
    append_go_duration(out, view.reset);
    out += "\r\n";
}

void append_anthropic_lines(std::string& out, const LimitView& view, std::string_view unit, WallTime at) {
    out += "anthropic-ratelimit-";
    out += unit;
    out += "-limit: ";
    append_number(out, whole(view, view.limit));
    out += "\r\nanthropic-ratelimit-";
    out += unit;
    out += "-remaining: ";
    append_number(out, whole(view, view.remaining));
    out += "\r\nanthropic-ratelimit-";
    out += unit;
    out += "-reset: ";
    // A debt may take longer to be repaid than the clock can tell.
    const Duration most = std::chrono::hours(24 * 365);
    append_rfc3339(out, at + std::chrono::duration_cast<WallTime::duration>(std::min(view.reset, most)));
    out += "\r\n";
}

} // namespace

void append_go_duration(std::string& out, Duration duration) {
    const std::uint64_t total = whole_units<std::chrono::milliseconds>(duration);
    if (total == 0) {
        out += "0s";
        return;
    }
    if (total < 1'000) {
        append_number(out, total);
        out += "ms";
        return;
    }
    const std::uint64_t seconds = total / 1'000;
    if (seconds >= 3'600) {
        append_number(out, seconds / 3'600);
        out += 'h';
    }
    if (seconds >= 60) {
        append_number(out, seconds / 60 % 60);
        out += 'm';
    }
    append_number(out, seconds % 60);
    append_fraction(out, total % 1'000);
    out += 's';
}

ToldLimits told_limits(const quota::AdmitReply& reply, WallTime wall) {
    constexpr std::array<std::array<Dimension, 3>, 3> kKinds{
        {{Dimension::requests, Dimension::requests, Dimension::requests},
         {Dimension::tokens, Dimension::input_tokens, Dimension::output_tokens},
         {Dimension::money, Dimension::money, Dimension::money}}};
    ToldLimits told;
    told.at = wall;
    for (const auto& kind : kKinds) {
        const quota::CounterState* best = nullptr;
        for (const Dimension dimension : kind) {
            const auto& state = reply.tightest[static_cast<std::size_t>(dimension)];
            if (state && (best == nullptr || quota::tighter(*state, *best))) best = &*state;
            if (reply.denial && reply.denial->state.dimension == dimension) {
                best = &reply.denial->state;
                break;
            }
        }
        if (best != nullptr) told.views[told.count++] = quota::view_of(*best, wall);
    }
    return told;
}

void append_limit_headers(std::string& out, const ToldLimits& limits) {
    if (limits.count == 0) return;
    for (const LimitView& view : limits.view()) {
        if (view.dimension == Dimension::money) continue;
        const std::string_view unit = view.dimension == Dimension::requests ? "requests" : "tokens";
        append_openai_lines(out, view, unit);
        append_anthropic_lines(out, view, unit, limits.at);
    }
    std::string_view before = "ratelimit-policy: ";
    for (const LimitView& view : limits.view()) {
        out += before;
        append_policy_name(out, view);
        out += ";q=";
        append_number(out, whole(view, view.limit));
        if (view.dimension != Dimension::money) out += ";w=60";
        before = ", ";
    }
    before = "\r\nratelimit: ";
    for (const LimitView& view : limits.view()) {
        out += before;
        append_policy_name(out, view);
        out += ";r=";
        append_number(out, whole(view, view.remaining));
        if (view.dimension != Dimension::money || view.reset != Duration::max()) {
            out += ";t=";
            append_number(
                out, whole_units<std::chrono::seconds>(view.dimension == Dimension::money ? view.reset : view.next));
        }
        before = ", ";
    }
    out += "\r\n";
}

} // namespace tollgate::policy
