#include "gateway/http/grammar.hpp"

#include "gateway/base/text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace tollgate::http {
namespace {

using Table = std::array<bool, 256>;

constexpr Table table_of(std::string_view extra, bool alnum) {
    Table table{};
    for (const char c : extra) table[static_cast<unsigned char>(c)] = true;
    if (alnum) {
        for (unsigned c = '0'; c <= '9'; ++c) table[c] = true;
        for (unsigned c = 'a'; c <= 'z'; ++c) table[c] = table[c - 'a' + 'A'] = true;
    }
    return table;
}
constexpr Table kToken = table_of("!#$%&'*+-.^_`|~", true);
constexpr Table kTarget = table_of("-._~!$&'()*+,;=:@/%?", true);
constexpr Table kRegName = table_of("-._~", true);

bool all_in(const Table& table, std::string_view text) noexcept {
    return std::ranges::all_of(text, [&](char c) { return table[static_cast<unsigned char>(c)]; });
}

int hex(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = ascii_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Value of the escape at text[i] == '%', or -1.
int escape_at(std::string_view text, std::size_t i) noexcept {
    if (i + 2 >= text.size()) return -1;
    const int high = hex(text[i + 1]);
    const int low = hex(text[i + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

// Octets that no route or parameter of ours needs and that desynchronise parsers behind us.
bool is_forbidden_escape(int octet) noexcept {
    return octet < 0x20 || octet == 0x7F || octet == '\\' || octet == 0xC0 || octet == 0xC1 || octet >= 0xF5;
}

bool escapes_are_safe(std::string_view target) noexcept {
    for (std::size_t i = target.find('%'); i != std::string_view::npos; i = target.find('%', i + 3)) {
        const int octet = escape_at(target, i);
        if (octet < 0 || is_forbidden_escape(octet)) return false;
    }
    return true;
}

// A segment is a dot segment if, after decoding %2e and %2f and dropping ;parameters, it is "." or "..".
bool has_dot_segment(std::string_view path) noexcept {
    std::size_t dots = 0;
    bool other = false;
    const auto segment_ends = [&] { return !other && (dots == 1 || dots == 2); };
    bool parameter = false;
    for (std::size_t i = 0; i < path.size(); ++i) {
        char c = path[i];
        if (c == '%') {
            c = static_cast<char>(escape_at(path, i));
            i += 2;
        }
        if (c == '/') {
            if (segment_ends()) return true;
            dots = 0;
            other = parameter = false;
        } else if (c == ';') {
            parameter = true;
        } else if (!parameter) {
            if (c == '.')
                ++dots;
            else
                other = true;
        }
    }
    return segment_ends();
}

bool is_port(std::string_view text) noexcept {
    if (text.empty()) return true;
    const auto value = parse_decimal(text);
    return text.size() <= 5 && value && *value <= 65535;
}

} // namespace

bool is_token(std::string_view text) noexcept {
    return !text.empty() && all_in(kToken, text);
}

bool is_field_value(std::string_view text) noexcept {
    // Without an early exit the compiler checks sixteen octets at a time; values are short and good ones are the rule.
    unsigned bad = 0;
    for (const char c : text) {
        const auto u = static_cast<unsigned char>(c);
        bad |= static_cast<unsigned>((u < 0x20) & (u != '\t')) | static_cast<unsigned>(u == 0x7F);
    }
    return bad == 0;
}

bool is_host(std::string_view text) noexcept {
    if (text.empty() || text.size() > 255) return false;
    if (text.front() == '[') {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos || close < 3) return false;
        const auto inner = text.substr(1, close - 1);
        const bool ok = std::ranges::all_of(inner, [](char c) { return hex(c) >= 0 || c == ':' || c == '.'; });
        const auto rest = text.substr(close + 1);
        return ok && (rest.empty() || (rest.front() == ':' && is_port(rest.substr(1))));
    }
    const std::size_t colon = text.find(':');
    const auto name = text.substr(0, colon);
    return !name.empty() && all_in(kRegName, name) &&
           (colon == std::string_view::npos || is_port(text.substr(colon + 1)));
}

bool is_safe_target(std::string_view target) noexcept {
    if (target.empty() || target.front() != '/' || !all_in(kTarget, target) || !escapes_are_safe(target)) return false;
    return !has_dot_segment(target.substr(0, target.find('?')));
}

bool list_has(std::string_view list, std::string_view token) noexcept {
    while (!list.empty()) {
        const std::size_t comma = list.find(',');
        if (iequals(trim(list.substr(0, comma)), token)) return true;
        if (comma == std::string_view::npos) return false;
        list.remove_prefix(comma + 1);
    }
    return false;
}

bool is_token_list(std::string_view list) noexcept {
    for (;;) {
        const std::size_t comma = list.find(',');
        const auto element = trim(list.substr(0, comma));
        if (!element.empty() && !is_token(element)) return false; // RFC 9110 §5.6.1.2: empty elements are ignored
        if (comma == std::string_view::npos) return true;
        list.remove_prefix(comma + 1);
    }
}

} // namespace tollgate::http
