#include "config/money.hpp"

#include "gateway/base/text.hpp"

#include <algorithm>
#include <limits>
#include <optional>

namespace tollgate::config {
namespace {

constexpr std::string_view kDigits = "0123456789";
constexpr std::uint64_t kLargest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
constexpr std::size_t kLongest = 64; // octets of a number that anybody means

// digits × 10^exponent, without zeros at either end of the digits.
struct Decimal {
    std::string digits;
    int exponent = 0;
};

std::string_view take_digits(std::string_view& text) noexcept {
    const std::string_view run = text.substr(0, std::min(text.find_first_not_of(kDigits), text.size()));
    text.remove_prefix(run.size());
    return run;
}

Decimal normalised(std::string_view whole, std::string_view fraction, int exponent) {
    Decimal out{std::string(whole) + std::string(fraction), exponent - static_cast<int>(fraction.size())};
    while (out.digits.ends_with('0')) {
        out.digits.pop_back();
        ++out.exponent;
    }
    out.digits.erase(0, std::min(out.digits.find_first_not_of('0'), out.digits.size()));
    return out;
}

std::string hint_for(std::string_view text) {
    if (text.empty()) return "US dollars as a decimal number, as in 2000 or 0.15";
    if (text.starts_with('-')) return "an amount of money is not negative";
    if (text.find_first_of("$ ") != std::string_view::npos || text.find("US") != std::string_view::npos)
        return "the number only, without a currency or spaces";
    if (text.find_first_of(",_'") != std::string_view::npos)
        return "no separators between digits; the decimal sign is a point";
    if (text.find_first_of("kKmM") != std::string_view::npos) return "write the number out, without k or M";
    if (text.find_first_of("eE") != std::string_view::npos) return "write the number out, without an exponent";
    if (text.starts_with('.')) return "a digit stands before the decimal point";
    if (text.ends_with('.')) return "a digit stands after the decimal point";
    return "digits, then possibly a point and decimal places";
}

Parsed<Decimal> plain_decimal(std::string_view text) {
    if (text.size() > kLongest) return std::unexpected("too long");
    std::string_view rest = text;
    const std::string_view whole = take_digits(rest);
    std::string_view fraction;
    const bool point = rest.starts_with('.');
    if (point) {
        rest.remove_prefix(1);
        fraction = take_digits(rest);
    }
    if (whole.empty() || (point && fraction.empty()) || !rest.empty()) return std::unexpected(hint_for(text));
    return normalised(whole, fraction, 0);
}

std::optional<int> take_exponent(std::string_view& text) {
    text.remove_prefix(1);
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    const std::optional<std::uint64_t> size = parse_decimal(take_digits(text));
    if (!size || *size > 1'000) return std::nullopt;
    return negative ? -static_cast<int>(*size) : static_cast<int>(*size);
}

Parsed<Decimal> json_decimal(std::string_view text) {
    const std::unexpected<std::string> wrong("not a JSON number");
    if (text.size() > kLongest) return std::unexpected("too long");
    if (text.starts_with('-')) return std::unexpected("an amount of money is not negative");
    const std::string_view whole = take_digits(text);
    if (whole.empty() || (whole.size() > 1 && whole.starts_with('0'))) return wrong;
    std::string_view fraction;
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        fraction = take_digits(text);
        if (fraction.empty()) return wrong;
    }
    int exponent = 0;
    if (text.starts_with('e') || text.starts_with('E')) {
        const std::optional<int> written = take_exponent(text);
        if (!written) return wrong;
        exponent = *written;
    }
    if (!text.empty()) return wrong;
    return normalised(whole, fraction, exponent);
}

// decimal × 10^scale, rounded up.
Parsed<PicoUsd> scaled(const Decimal& decimal, int scale) {
    if (decimal.digits.empty()) return PicoUsd{};
    const int shift = decimal.exponent + scale;
    const int kept = static_cast<int>(decimal.digits.size()) + shift;
    if (kept > 19) return std::unexpected("too large");
    const bool rounded = shift < 0; // the last digit is not 0
    std::string whole = kept > 0 ? decimal.digits.substr(0, static_cast<std::size_t>(kept)) : "0";
    if (shift > 0) whole.append(static_cast<std::size_t>(shift), '0');
    const std::optional<std::uint64_t> value = parse_decimal(whole);
    if (!value || *value > kLargest - (rounded ? 1 : 0)) return std::unexpected("too large");
    return PicoUsd{static_cast<std::int64_t>(*value) + (rounded ? 1 : 0), rounded};
}

Parsed<std::int64_t> exact(std::string_view text, int scale, std::string_view too_fine) {
    const Parsed<Decimal> decimal = plain_decimal(text);
    if (!decimal) return std::unexpected(decimal.error());
    const Parsed<PicoUsd> value = scaled(*decimal, scale);
    if (!value) return std::unexpected(value.error());
    if (value->rounded) return std::unexpected(std::string(too_fine));
    return value->value;
}

} // namespace

Parsed<std::int64_t> parse_usd(std::string_view text) {
    return exact(text, 9, "at most nine decimal places: money is counted in billionths of a dollar");
}

Parsed<std::int64_t> parse_usd_per_million(std::string_view text) {
    return exact(text, 6, "at most six decimal places for a price per million tokens");
}

Parsed<std::int64_t> parse_usd_each(std::string_view text) {
    return exact(text, 12, "at most twelve decimal places for a price per unit");
}

Parsed<PicoUsd> parse_json_usd_each(std::string_view text) {
    const Parsed<Decimal> decimal = json_decimal(text);
    if (!decimal) return std::unexpected(decimal.error());
    return scaled(*decimal, 12);
}

} // namespace tollgate::config
