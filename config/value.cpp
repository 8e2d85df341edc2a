#include "config/value.hpp"

#include "config/expand.hpp"
#include "config/money.hpp"
#include "config/value_text.hpp"
#include "config/values.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace tollgate::config {
namespace {

// The row of the document itself, which the table does not hold because it has no name.
constexpr Row kRoot{"", Type::section, "", "", ""};

std::vector<std::string_view> leaves(const std::vector<const Row*>& rows) {
    std::vector<std::string_view> out;
    for (const Row* const row : rows) out.push_back(leaf(row->path));
    return out;
}

// A section written as the scalar that matters most in it, or a list as its only item. Nothing at all is a forgotten
// scalar there, not an empty section.
bool is_short(const Node& node, const Row& row) noexcept {
    if (row.short_form.empty()) return false;
    if (row.type == Type::list) return node.kind == Node::Kind::map;
    return node.kind == Node::Kind::scalar || node.kind == Node::Kind::null;
}

class Validator {
  public:
    Validator(const Environment& environment, Sink& sink) : environment_(environment), sink_(sink) {}

    void walk(const Node& node, Value& value);

  private:
    void section(const Node& node, Value& value);
    void section_member(const Member& member, const std::vector<const Row*>& rows, Value& value);
    void unknown_key(const Member& member, const std::vector<const Row*>& rows, Value& value);
    void named(const Node& node, Value& value);
    void list(const Node& node, Value& value);
    void short_section(const Node& node, Value& value);
    void short_list(const Node& node, Value& value);
    void money(const std::string& text, Value& value, const std::string& shown);
    void repeated_items(const Value& list_value);
    void scalar(const Node& node, Value& value);
    void convert(const Node& node, const std::string& text, Value& value, const std::string& shown);
    template <class T>
    void number(const std::string& text, Parsed<T> (*parse)(std::string_view), Code code, Value& value,
                const std::string& shown);
    void choice(const std::string& text, Value& value, const std::string& shown);
    void plain_text(const std::string& text, Value& value, const std::string& shown);
    void refuse(Code code, const Value& value, const std::string& shown, Advice advice = {});
    void wrong_type(const Node& node, const Value& value, std::string help);

    const Environment& environment_;
    Sink& sink_;
};

// "kind: What protocol it speaks.", the help of a missing or a bad value.
std::string described(const Row& row) {
    const std::size_t dot = row.path.rfind('.');
    const std::string_view name = dot == std::string_view::npos ? row.path : row.path.substr(dot + 1);
    return fmt::format("{}: {}", name, row.description);
}

void Validator::refuse(Code code, const Value& value, const std::string& shown, Advice advice) {
    sink_.add(code, value.place, fmt::format("`{}` is `{}`, want {}", value.path, shown, wanted(*value.row)),
              std::move(advice));
}

void Validator::wrong_type(const Node& node, const Value& value, std::string help) {
    const std::string got = describe(node);
    sink_.add(Code::wrong_type, node.place, fmt::format("`{}`: got {}, want {}", value.path, got, wanted(*value.row)),
              {"got " + got, std::move(help)});
}

void Validator::walk(const Node& node, Value& value) {
    const Type type = value.row->type;
    if (!is_container(type)) return scalar(node, value);
    if (is_short(node, *value.row)) {
        value.valid = true;
        return type == Type::section ? short_section(node, value) : short_list(node, value);
    }
    const Node::Kind wants = type == Type::list ? Node::Kind::list : Node::Kind::map;
    // A section whose keys are all commented out is an empty one.
    if (node.kind != wants && node.kind != Node::Kind::null) {
        const bool one_item = type == Type::list && node.kind == Node::Kind::scalar;
        return wrong_type(node, value, one_item ? "put it in brackets: [ … ]" : "");
    }
    value.valid = true;
    if (type == Type::section) return section(node, value);
    const bool empty = node.items.empty() && node.members.empty();
    if (empty && (value.row->required || value.row->constraint == "nonempty")) {
        sink_.add(Code::empty_collection, value.place, fmt::format("`{}` must not be empty", value.path));
    }
    if (type == Type::named) return named(node, value);
    list(node, value);
}

void Validator::section(const Node& node, Value& value) {
    const std::vector<const Row*> rows = children(inside(*value.row));
    for (const Member& member : node.members) section_member(member, rows, value);
    const std::vector<std::string_view> names = leaves(rows);
    for (const Row* const row : rows) {
        const std::string_view name = leaf(row->path);
        // A misspelt key was reported as such; its absence is the same mistake.
        const auto is_it = [&](const Member& member) {
            const bool known = std::ranges::find(names, member.name) != names.end();
            return member.name == name || (!known && nearest(member.name, names) == name);
        };
        if (!row->required || std::ranges::any_of(node.members, is_it)) continue;
        const std::string where = value.path.empty() ? "the file" : "`" + value.path + "`";
        sink_.add(Code::missing_key, value.place, fmt::format("{} has no `{}`", where, name),
                  {{}, fmt::format("{}: {}", name, row->description)});
    }
}

void Validator::section_member(const Member& member, const std::vector<const Row*>& rows, Value& value) {
    const auto row = std::ranges::find(rows, member.name, [](const Row* known) { return leaf(known->path); });
    if (row == rows.end()) return unknown_key(member, rows, value);
    Value& below = value.members.emplace_back();
    below.row = *row;
    below.name = member.name;
    below.path = value.path.empty() ? member.name : value.path + "." + member.name;
    const bool short_scalar = (*row)->type == Type::section && is_short(*member.value, **row);
    below.place = is_container((*row)->type) && !short_scalar ? member.place : member.value->place;
    walk(*member.value, below);
}

void Validator::unknown_key(const Member& member, const std::vector<const Row*>& rows, Value& value) {
    value.complete = false;
    const std::string where = value.path.empty() ? member.name : value.path + "." + member.name;
    const std::string pattern =
        value.row->path.empty() ? member.name : fmt::format("{}.{}", inside(*value.row), member.name);
    if (const LaterKey* const later = find_later(pattern)) {
        sink_.add(Code::not_enforced, member.place,
                  fmt::format("`{}` is not enforced by this version", quotable(where)),
                  {fmt::format("this version has no {}", later->what),
                   "remove it: a setting that does nothing would be worse"});
        return;
    }
    const std::vector<std::string_view> allowed = leaves(rows);
    std::string label = did_you_mean(member.name, allowed);
    if (label.empty()) label = belongs(member.name, *value.row);
    const std::string in = value.path.empty() ? "at the top level" : fmt::format("in `{}`", value.path);
    sink_.add(Code::unknown_key, member.place, fmt::format("unknown key `{}` {}", quotable(member.name), in),
              {std::move(label), "allowed keys: " + join(allowed)});
}

void Validator::named(const Node& node, Value& value) {
    const Row* const row = find_row(std::string(value.row->path) + ".*");
    const Rule& rule = find_rule(value.row->constraint);
    for (const Member& member : node.members) {
        Value& below = value.members.emplace_back();
        below.row = row;
        below.name = member.name;
        below.path = value.path + "." + quotable(member.name);
        below.place = member.place;
        if (!obeys(rule, member.name)) {
            sink_.add(Code::bad_name, member.place,
                      fmt::format("`{}` is no name for `{}`, want {}", quotable(member.name), value.path, rule.want));
        }
        walk(*member.value, below);
    }
}

void Validator::list(const Node& node, Value& value) {
    const Row* const row = find_row(std::string(value.row->path) + "[]");
    for (std::size_t i = 0; i < node.items.size(); ++i) {
        Value& below = value.members.emplace_back();
        below.row = row;
        below.path = fmt::format("{}[{}]", value.path, i);
        below.place = node.items[i]->place;
        walk(*node.items[i], below);
    }
    if (row->type == Type::choice || row->type == Type::text) repeated_items(value);
}

// Messages name the place as it is written, so the part that is left out is not in their path.
void Validator::short_section(const Node& node, Value& value) {
    Value& below = value.members.emplace_back();
    below.row = find_row(short_path(*value.row));
    below.name = value.row->short_form;
    below.path = value.path;
    below.place = value.place;
    walk(node, below);
}

void Validator::short_list(const Node& node, Value& value) {
    Value& below = value.members.emplace_back();
    below.row = find_row(std::string(value.row->path) + "[]");
    below.path = value.path;
    below.place = value.place;
    walk(node, below);
}

void Validator::repeated_items(const Value& list_value) {
    std::vector<std::string_view> seen;
    for (const Value& item : list_value.members) {
        const auto* const text = std::get_if<std::string>(&item.data);
        if (text == nullptr || !item.valid) continue;
        if (std::ranges::find(seen, *text) != seen.end()) {
            sink_.add(Code::repeated_item, item.place,
                      fmt::format("`{}` holds `{}` twice", list_value.path, quotable(*text)));
        }
        seen.push_back(*text);
    }
}

void Validator::scalar(const Node& node, Value& value) {
    value.place = node.place;
    const Type type = value.row->type;
    const bool nothing = node.kind == Node::Kind::null;
    if (nothing) {
        sink_.add(Code::no_value, value.place,
                  fmt::format("`{}` has no value, want {}", value.path, wanted(*value.row)));
        return;
    }
    if (node.kind != Node::Kind::scalar) return wrong_type(node, value, {});
    const std::optional<Expanded> expanded = expand(node.text, value.path, value.place, environment_, sink_);
    if (!expanded) return;
    if (!expanded->changed) {
        const Shape shape = node.quoted ? Shape::text : shape_of(node.text);
        const bool textual = type == Type::text || type == Type::secret || type == Type::choice;
        if (textual && shape != Shape::text) return wrong_type(node, value, "put it in quotes");
        if (type == Type::money && shape != Shape::text && shape != Shape::number) return wrong_type(node, value, {});
        const bool bare = type == Type::boolean || type == Type::integer;
        if (bare && node.quoted) return wrong_type(node, value, "remove the quotes");
    }
    // What came from outside the file is not shown, only where it came from.
    convert(node, expanded->text, value, quotable(node.text));
}

void Validator::convert(const Node& node, const std::string& text, Value& value, const std::string& shown) {
    switch (value.row->type) {
    case Type::boolean:
        if (text != "true" && text != "false") {
            return wrong_type(node, value, "write `true` or `false`; yes, no, on and off are plain text in YAML 1.2");
        }
        value.data = text == "true";
        value.valid = true;
        return;
    case Type::integer: return number(text, parse_integer, Code::bad_integer, value, shown);
    case Type::duration: return number(text, parse_duration, Code::bad_duration, value, shown);
    case Type::size: return number(text, parse_size, Code::bad_size, value, shown);
    case Type::choice: return choice(text, value, shown);
    case Type::money: return money(text, value, shown);
    case Type::text: return plain_text(text, value, shown);
    case Type::secret:
        if (text.empty()) {
            sink_.add(Code::empty_secret, value.place, fmt::format("`{}` is empty", value.path));
            return;
        }
        value.data = Secret(text);
        value.valid = true;
        return;
    case Type::endpoint: {
        Parsed<Endpoint> parsed = parse_endpoint(text);
        if (!parsed) return refuse(Code::bad_endpoint, value, shown, {parsed.error(), {}});
        value.data = std::move(*parsed);
        value.valid = true;
        return;
    }
    case Type::date: {
        const auto parsed = parse_date(text);
        if (!parsed) return refuse(Code::bad_date, value, shown, {parsed.error(), {}});
        value.data = *parsed;
        value.valid = true;
        return;
    }
    case Type::section:
    case Type::named:
    case Type::list: return;
    }
}

template <class T>
void Validator::number(const std::string& text, Parsed<T> (*parse)(std::string_view), Code code, Value& value,
                       const std::string& shown) {
    const Bounds range = bounds(*value.row);
    if (range.word && *range.word == text) {
        value.data = T(0);
        value.valid = true;
        return;
    }
    const Parsed<T> parsed = parse(text);
    if (!parsed) return refuse(code, value, shown, {parsed.error(), {}});
    if (*parsed < parse(range.low).value_or(T(0)) || *parsed > parse(range.high).value_or(*parsed)) {
        return refuse(Code::out_of_range, value, shown, {{}, described(*value.row)});
    }
    value.data = *parsed;
    value.valid = true;
}

void Validator::choice(const std::string& text, Value& value, const std::string& shown) {
    const std::vector<std::string_view> allowed = words(value.row->constraint);
    if (std::ranges::find(allowed, text) != allowed.end()) {
        value.data = text;
        value.valid = true;
        return;
    }
    const std::vector<std::string_view> later = words(value.row->later);
    std::string label = did_you_mean(text, allowed);
    const bool any = value.row->later == "*" && label.empty();
    if (any || std::ranges::find(later, text) != later.end()) {
        sink_.add(Code::not_enforced, value.place,
                  fmt::format("`{}: {}` is not enforced by this version", value.path, shown),
                  {"want " + wanted(*value.row), "remove it: a setting that does nothing would be worse"});
        return;
    }
    refuse(Code::bad_choice, value, shown, {std::move(label), described(*value.row)});
}

void Validator::money(const std::string& text, Value& value, const std::string& shown) {
    const std::string_view unit = words(value.row->constraint).front();
    const auto parsed = unit == "million" ? parse_usd_per_million(text)
                        : unit == "each"  ? parse_usd_each(text)
                                          : parse_usd(text);
    if (!parsed) return refuse(Code::bad_money, value, shown, {parsed.error(), {}});
    const Bounds range = bounds(*value.row);
    if (!range.high.empty() && *parsed > parse_usd(range.high).value_or(*parsed)) {
        return refuse(Code::out_of_range, value, shown);
    }
    value.data = *parsed;
    value.valid = true;
}

void Validator::plain_text(const std::string& text, Value& value, const std::string& shown) {
    if (!obeys(find_rule(value.row->constraint), text)) return refuse(Code::bad_text, value, shown);
    value.data = text;
    value.valid = true;
}

} // namespace

const Value* Value::find(std::string_view dotted) const noexcept {
    const Value* here = this;
    while (!dotted.empty()) {
        const std::size_t end = std::min(dotted.find('.'), dotted.size());
        const std::string_view step = dotted.substr(0, end);
        const auto next = std::ranges::find(here->members, step, &Value::name);
        if (next == here->members.end()) return nullptr;
        here = &*next;
        dotted.remove_prefix(std::min(end + 1, dotted.size()));
    }
    return here;
}

Value validate_at(const Row& row, std::string path, const Node& node, const Environment& environment, Sink& sink) {
    Value value;
    value.row = &row;
    value.path = std::move(path);
    value.place = node.place;
    Validator(environment, sink).walk(node, value);
    return value;
}

Value validate(const Node& root, const Environment& environment, Sink& sink) {
    Value value;
    value.row = &kRoot;
    value.place = {{1, 1}, 1};
    Validator(environment, sink).walk(root, value);
    return value;
}

} // namespace tollgate::config
