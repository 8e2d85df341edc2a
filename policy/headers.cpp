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

void append_policy_name(std::string& out, const LimitView& view) {
    out += '"';
    out += view.scope_kind; // "key", "team" or "org": nothing to escape
    out += "-rpm\"";
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

void append_limit_headers(std::string& out, const LimitView& view, Duration reset) {
    out += "x-ratelimit-limit-requests: ";
    append_number(out, view.limit);
    out += "\r\nx-ratelimit-remaining-requests: ";
    append_number(out, view.remaining);
    out += "\r\nx-ratelimit-reset-requests: ";
    append_go_duration(out, reset);
    out += "\r\nratelimit-policy: ";
    append_policy_name(out, view);
    out += ";q=";
    append_number(out, view.limit);
    out += ";w=60\r\nratelimit: ";
    append_policy_name(out, view);
    out += ";r=";
    append_number(out, view.remaining);
    out += ";t=";
    append_number(out, whole_units<std::chrono::seconds>(view.next));
    out += "\r\n";
}

} // namespace tollgate::policy
