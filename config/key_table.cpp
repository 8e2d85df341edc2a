#include "config/key_table.hpp"

#include <array>

namespace tollgate::config {
namespace {

constexpr std::array kRules = {
    Rule{"name", "A-Za-z0-9_.-", 1, 64, "1 to 64 letters, digits, `_`, `.` or `-`"},
    Rule{"model", "A-Za-z0-9._:/@*-", 1, 128, "1 to 128 letters, digits or `._:/@*-`"},
    Rule{"alias", "A-Za-z0-9._:/@-", 1, 128, "1 to 128 letters, digits or `._:/@-`"},
    Rule{"prefix", "A-Za-z0-9_.:-", 1, 64, "1 to 64 letters, digits, `_`, `.`, `:` or `-`"},
    Rule{"header", "!-~", 1, 256, "1 to 256 visible ASCII characters"},
    Rule{"credential", "!-~", 1, 256, "1 to 256 visible ASCII characters without a space"},
    Rule{"account", "!-~", 1, 8192, "1 to 8192 visible ASCII characters without a space"},
    Rule{"url", "!-~", 1, 2048, "an http or https URL"},
    Rule{"range", "0-9A-Fa-f.:/", 1, 49, "an address range such as 10.1.0.0/16"},
    Rule{"sha256", "0-9A-Fa-f", 64, 64, "64 hexadecimal digits"},
    Rule{"zone", "A-Za-z0-9_+/-", 1, 64, "the IANA name of a time zone such as Europe/Berlin"},
    Rule{"path", "", 1, 4096, "a path"},
    Rule{"free", "", 0, 256, "at most 256 characters, none of them a control character"},
};

// Is c in the inside of a regular expression's [], where `-` between two characters is a range?
constexpr bool in_class(std::string_view letters, char c) noexcept {
    while (!letters.empty()) {
        if (letters.size() >= 3 && letters[1] == '-') {
            if (c >= letters[0] && c <= letters[2]) return true;
            letters.remove_prefix(3);
        } else {
            if (c == letters[0]) return true;
            letters.remove_prefix(1);
        }
    }
    return false;
}

} // namespace

std::string_view to_string(Type type) noexcept {
    using enum Type;
    switch (type) {
    case section: return "section";
    case named: return "map";
    case list: return "list";
    case boolean: return "true or false";
    case integer: return "whole number";
    case duration: return "duration";
    case size: return "size";
    case text: return "text";
    case choice: return "word";
    case endpoint: return "address:port";
    case secret: return "secret";
    case date: return "date";
    case money: return "dollars";
    }
    return {};
}

const Row* find_row(std::string_view path) noexcept {
    for (const Row& row : all_rows()) {
        if (row.path == path) return &row;
    }
    return nullptr;
}

std::vector<const Row*> children(std::string_view path) {
    std::vector<const Row*> out;
    for (const Row& row : all_rows()) {
        std::string_view rest = row.path;
        if (!rest.starts_with(path) || rest == path) continue;
        rest.remove_prefix(path.size());
        if (path.empty()) {
            if (rest.front() == '@') continue;
        } else {
            if (rest.front() != '.') continue;
            rest.remove_prefix(1);
        }
        if (rest.find_first_of(".[") == std::string_view::npos) out.push_back(&row);
    }
    return out;
}

std::vector<const Row*> shapes() {
    std::vector<const Row*> out;
    for (const Row& row : all_rows()) {
        if (row.path.starts_with('@') && row.path.find_first_of(".[") == std::string_view::npos) out.push_back(&row);
    }
    return out;
}

std::string_view inside(const Row& row) noexcept {
    return row.constraint.starts_with('@') ? row.constraint : row.path;
}

std::string_view leaf(std::string_view path) noexcept {
    return path.substr(path.rfind('.') + 1);
}

const LaterKey* find_later(std::string_view path) noexcept {
    for (const LaterKey& key : later_keys()) {
        if (key.path == path) return &key;
        if (!key.path.starts_with("**")) continue;
        const std::string_view tail = key.path.substr(2);
        if (path.ends_with(tail) || path == tail.substr(1)) return &key;
    }
    return nullptr;
}

const Rule& find_rule(std::string_view name) noexcept {
    for (const Rule& rule : kRules) {
        if (rule.name == name) return rule;
    }
    return kRules.back();
}

bool obeys(const Rule& rule, std::string_view text) noexcept {
    std::size_t characters = 0;
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (rule.letters.empty() ? octet < 0x20 || octet == 0x7F : !in_class(rule.letters, c)) return false;
        if ((octet & 0xC0U) != 0x80U) ++characters;
    }
    return characters >= rule.shortest && characters <= rule.longest;
}

std::vector<std::string_view> words(std::string_view constraint) {
    std::vector<std::string_view> out;
    while (!constraint.empty()) {
        const std::size_t end = constraint.find('|');
        out.push_back(constraint.substr(0, end));
        constraint.remove_prefix(end == std::string_view::npos ? constraint.size() : end + 1);
    }
    return out;
}

Bounds bounds(const Row& row) {
    Bounds out;
    for (const std::string_view part : words(row.constraint)) {
        const std::size_t dots = part.find("..");
        if (dots == std::string_view::npos) {
            out.word = part;
        } else {
            out.low = part.substr(0, dots);
            out.high = part.substr(dots + 2);
        }
    }
    return out;
}

} // namespace tollgate::config
