#include "cache/canonical_number.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <optional>

namespace tollgate::cache {
namespace {

constexpr double kExact = 9007199254740992.0; // 2^53: from here on, neighbouring integers share a double
constexpr std::size_t kSafeDigits = 15;       // every integer of so many digits is below 2^53

struct Shape {
    bool integer = true;    // neither fraction nor exponent
    bool zero = true;       // no digit but 0 before the exponent
    std::size_t digits = 0; // before the point
};

// RFC 8259 §6: [ minus ] int [ frac ] [ exp ].
std::optional<Shape> scan(std::string_view token) {
    Shape shape;
    std::size_t at = 0;
    const auto digits = [&](bool significand) {
        const std::size_t begin = at;
        for (; at < token.size() && token[at] >= '0' && token[at] <= '9'; ++at) {
            if (significand && token[at] != '0') shape.zero = false;
        }
        return at - begin;
    };
    if (token.starts_with('-')) ++at;
    const bool leading_zero = at < token.size() && token[at] == '0';
    shape.digits = digits(true);
    if (shape.digits == 0 || (leading_zero && shape.digits > 1)) return std::nullopt;
    if (at < token.size() && token[at] == '.') {
        shape.integer = false;
        ++at;
        if (digits(true) == 0) return std::nullopt;
    }
    if (at < token.size() && (token[at] == 'e' || token[at] == 'E')) {
        shape.integer = false;
        ++at;
        if (at < token.size() && (token[at] == '+' || token[at] == '-')) ++at;
        if (digits(false) == 0) return std::nullopt;
    }
    if (at != token.size()) return std::nullopt;
    return shape;
}

// ECMAScript Number::toString for 0 < |value| < 2^53: the shortest digits that read back as the same double.
void append_double(std::string& out, double value) {
    std::array<char, 32> buffer{};
    const auto written =
        std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::fabs(value), std::chars_format::scientific);
    const std::string_view text(buffer.data(), static_cast<std::size_t>(written.ptr - buffer.data()));
    const std::size_t e = text.find('e');
    std::string digits(text.substr(0, 1));
    if (e > 1) digits += text.substr(2, e - 2);
    int exponent = 0;
    const std::size_t sign = text[e + 1] == '+' ? 1 : 0; // from_chars takes a minus but no plus
    std::from_chars(text.data() + e + 1 + sign, text.data() + text.size(), exponent);

    if (value < 0) out += '-';
    const auto count = static_cast<int>(digits.size());
    if (exponent >= count - 1) { // an integer; below 2^53 it has at most 16 digits
        out += digits;
        out.append(static_cast<std::size_t>(exponent + 1 - count), '0');
    } else if (exponent >= 0) {
        out.append(digits, 0, static_cast<std::size_t>(exponent) + 1);
        out += '.';
        out.append(digits, static_cast<std::size_t>(exponent) + 1);
    } else if (exponent >= -6) {
        out += "0.";
        out.append(static_cast<std::size_t>(-exponent - 1), '0');
        out += digits;
    } else {
        out += digits[0];
        if (count > 1) out += '.';
        out.append(digits, 1);
        out += 'e';
        out += std::to_string(exponent);
    }
}

} // namespace

bool append_canonical_number(std::string& out, std::string_view token) {
    while (!token.empty() && std::string_view(" \t\r\n").contains(token.back())) token.remove_suffix(1);
    const std::optional<Shape> shape = scan(token);
    if (!shape) return false;
    if (shape->zero) {
        out += '0';
        return true;
    }
    if (shape->integer && shape->digits <= kSafeDigits) {
        out += token;
        return true;
    }
    double value = 0;
    const auto read = std::from_chars(token.data(), token.data() + token.size(), value);
    // Not every library reports underflow and overflow as an error, so the value is looked at as well.
    const bool usable = read.ec == std::errc() && value != 0 && std::isfinite(value);
    if (!usable || std::fabs(value) >= kExact) {
        out += token;
    } else {
        append_double(out, value);
    }
    return true;
}

} // namespace tollgate::cache
