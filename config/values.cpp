#include "config/values.hpp"

#include "config/address.hpp"
#include "gateway/base/text.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <span>

namespace tollgate::config {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr Unit kCounts[] = {{"", 1}, {"k", 1'000}, {"M", 1'000'000}};
constexpr Unit kSizes[] = {{"", 1}, {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30}};
constexpr Unit kTimes[] = {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};

// Everything fits a signed 64-bit count afterwards.
constexpr std::uint64_t kLargest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

Parsed<std::uint64_t> with_unit(std::string_view text, std::span<const Unit> units, std::string_view hint) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const std::optional<std::uint64_t> number = parse_decimal(text.substr(0, digits));
    if (digits == 0) return std::unexpected(std::string(hint));
    const auto unit = std::ranges::find(units, text.substr(digits), &Unit::name);
    if (unit == units.end()) return std::unexpected(std::string(hint));
    if (!number || *number > kLargest / unit->factor) return std::unexpected("too large");
    return *number * unit->factor;
}

// Exactly `length` digits at the front, taken away.
std::optional<int> digits(std::string_view& text, std::size_t length) {
    const std::optional<std::uint64_t> number = parse_decimal(text.substr(0, length));
    if (text.size() < length || !number) return std::nullopt;
    text.remove_prefix(length);
    return static_cast<int>(*number);
}

bool skip(std::string_view& text, char c) {
    if (!text.starts_with(c)) return false;
    text.remove_prefix(1);
    return true;
}

std::optional<std::chrono::seconds> parse_time(std::string_view text) {
    const std::optional<int> hour = digits(text, 2);
    if (!hour || !skip(text, ':')) return std::nullopt;
    const std::optional<int> minute = digits(text, 2);
    if (!minute || !skip(text, ':')) return std::nullopt;
    const std::optional<int> second = digits(text, 2);
    if (!second || text != "Z" || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
    return std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second);
}

bool is_number(std::string_view text) noexcept {
    if (text.starts_with("0x") || text.starts_with("0o")) {
        const std::string_view letters = text[1] == 'x' ? "0123456789abcdefABCDEF" : "01234567";
        return text.size() > 2 && text.substr(2).find_first_not_of(letters) == std::string_view::npos;
    }
    const auto run = [&text] {
        const std::size_t length = std::min(text.find_first_not_of("0123456789"), text.size());
        text.remove_prefix(length);
        return length;
    };
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    if (text == ".inf" || text == ".nan") return true;
    std::size_t mantissa = run();
    if (skip(text, '.')) mantissa += run();
    if (mantissa == 0) return false;
    if (skip(text, 'e') || skip(text, 'E')) {
        if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
        if (run() == 0) return false;
    }
    return text.empty();
}

} // namespace

Parsed<std::uint64_t> parse_integer(std::string_view text) {
    return with_unit(text, kCounts, "digits, then possibly `k` (1,000) or `M` (1,000,000)");
}

Parsed<std::chrono::milliseconds> parse_duration(std::string_view text) {
    const bool bare = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
    const Parsed<std::uint64_t> parsed =
        with_unit(text, kTimes, bare ? "add a unit: ms, s, m, h or d" : "digits, then one of ms, s, m, h, d");
    if (!parsed) return std::unexpected(parsed.error());
    return std::chrono::milliseconds(static_cast<std::int64_t>(*parsed));
}

Parsed<std::uint64_t> parse_size(std::string_view text) {
    return with_unit(text, kSizes, "digits, then possibly KiB, MiB or GiB");
}

Parsed<Endpoint> parse_endpoint(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::unexpected("the port is missing");
    std::string_view host = text.substr(0, colon);
    if (host.empty()) {
        return std::unexpected("the address is missing: 127.0.0.1 for this machine, 0.0.0.0 for every interface");
    }
    const std::string_view digits_of_port = text.substr(colon + 1);
    const std::optional<std::uint64_t> port = parse_decimal(digits_of_port);
    if (!port || *port > 65'535 || digits_of_port.size() > 5) return std::unexpected("the port is not 0 to 65535");
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    if (bracketed) host = host.substr(1, host.size() - 2);
    const std::optional<Address> address = parse_address(host);
    if (!address) return std::unexpected("the address must be written out, names are not looked up");
    if (address->v6 != bracketed) {
        return std::unexpected(bracketed ? "brackets are for IPv6" : "an IPv6 address stands in brackets");
    }
    return Endpoint{std::string(host), static_cast<std::uint16_t>(*port)};
}

Parsed<std::chrono::sys_seconds> parse_date(std::string_view text) {
    const std::unexpected<std::string> wrong("write 2027-01-31 or 2027-01-31T12:00:00Z");
    const std::optional<int> year = digits(text, 4);
    if (!year || !skip(text, '-')) return wrong;
    const std::optional<int> month = digits(text, 2);
    if (!month || !skip(text, '-')) return wrong;
    const std::optional<int> day = digits(text, 2);
    if (!day) return wrong;
    const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok()) return std::unexpected("no such day");
    const std::chrono::sys_seconds midnight = std::chrono::sys_days(date);
    if (text.empty()) return midnight;
    if (!skip(text, 'T')) return wrong;
    const std::optional<std::chrono::seconds> time = parse_time(text);
    if (!time) return wrong;
    return midnight + *time;
}

Shape shape_of(std::string_view plain) noexcept {
    constexpr std::string_view kNulls[] = {"", "~", "null", "Null", "NULL"};
    constexpr std::string_view kBooleans[] = {"true", "True", "TRUE", "false", "False", "FALSE"};
    if (std::ranges::find(kNulls, plain) != std::end(kNulls)) return Shape::null;
    if (std::ranges::find(kBooleans, plain) != std::end(kBooleans)) return Shape::boolean;
    return is_number(plain) ? Shape::number : Shape::text;
}

} // namespace tollgate::config
