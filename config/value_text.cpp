#include "config/value_text.hpp"

#include "config/values.hpp"

#include <fmt/format.h>

namespace tollgate::config {
namespace {

std::string wanted_money(const Row& row, const Bounds& range) {
    const std::string_view unit = words(row.constraint).front();
    if (unit == "million") return "US dollars for a million tokens such as 0.15";
    if (unit == "times") return "a factor such as 0.5";
    if (unit == "each") return "US dollars for one such as 0.04";
    return fmt::format("US dollars from {} to {}", range.low, range.high);
}

// The first key called `name` below the section or list `row`, as one would write it from the top; empty: none.
// `shown` is the path of `row` itself.
std::string find_below(std::string_view name, const std::string& shown, std::string_view inner) {
    const std::vector<const Row*> rows = children(inner);
    const auto at = [&](const Row& row) {
        return shown.empty() ? std::string(leaf(row.path)) : shown + "." + std::string(leaf(row.path));
    };
    for (const Row* const row : rows) {
        if (leaf(row->path) == name) return at(*row);
    }
    for (const Row* const row : rows) {
        const std::string_view item = row->type == Type::list ? "[]" : row->type == Type::named ? ".*" : "";
        if (!is_container(row->type)) continue;
        const Row* const below = item.empty() ? row : find_row(std::string(row->path).append(item));
        if (below->type != Type::section) continue;
        std::string found = find_below(name, at(*row).append(item), inside(*below));
        if (!found.empty()) return found;
    }
    return {};
}

} // namespace

std::string describe(const Node& node) {
    switch (node.kind) {
    case Node::Kind::null: return "nothing";
    case Node::Kind::list: return "a list";
    case Node::Kind::map: return "a map";
    case Node::Kind::scalar: break;
    }
    if (node.quoted) return "quoted text";
    switch (shape_of(node.text)) {
    case Shape::number: return "a number";
    case Shape::boolean: return "true or false";
    case Shape::null: return "nothing";
    case Shape::text: break;
    }
    return "text";
}

std::string short_path(const Row& section) {
    return fmt::format("{}.{}", inside(section), section.short_form);
}

std::string wanted(const Row& row) {
    const Bounds range = bounds(row);
    switch (row.type) {
    case Type::section: return row.short_form.empty() ? "a map" : wanted(*find_row(short_path(row))) + ", or a map";
    case Type::named: return "a map of names";
    case Type::list: return row.short_form.empty() ? "a list" : "a map or a list of maps";
    case Type::boolean: return "true or false";
    case Type::integer: {
        const std::string digits = range.low == range.high
                                       ? std::string(range.low)
                                       : fmt::format("a whole number from {} to {}", range.low, range.high);
        return range.word ? fmt::format("`{}` or {}", *range.word, digits) : digits;
    }
    case Type::duration: return fmt::format("a duration from {} to {}", range.low, range.high);
    case Type::size: return fmt::format("a size from {} to {}", range.low, range.high);
    case Type::text: return std::string(find_rule(row.constraint).want);
    case Type::choice: {
        const auto allowed = words(row.constraint);
        return (allowed.size() == 1 ? "" : "one of ") + join(allowed);
    }
    case Type::endpoint: return "a literal address and port such as 127.0.0.1:8080 or [::1]:8080";
    case Type::secret: return "text";
    case Type::date: return "a UTC date or date-time";
    case Type::money: return wanted_money(row, range);
    }
    return {};
}

std::string belongs(std::string_view name, const Row& here) {
    const std::string below = find_below(name, std::string(here.path), inside(here));
    if (!below.empty() && !below.starts_with('@')) return fmt::format("it belongs in `{}`", below);
    const std::string anywhere = find_below(name, {}, {});
    return anywhere.empty() ? std::string() : fmt::format("there is `{}`", anywhere);
}

} // namespace tollgate::config
