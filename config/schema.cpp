#include "config/schema.hpp"

#include "config/key_table.hpp"
#include "config/values.hpp"
#include "gateway/base/text.hpp"

#include <fmt/format.h>

namespace tollgate::config {
namespace {

// Writes one JSON document, two spaces per level. Commas and line ends are its only state.
class JsonWriter {
  public:
    void open(char bracket) {
        out_ += bracket;
        fresh_ = true;
        ++depth_;
    }
    void close(char bracket) {
        --depth_;
        if (!fresh_) new_line();
        out_ += bracket;
        fresh_ = false;
    }
    void name(std::string_view text) {
        item();
        append_json_string(out_, text);
        out_ += ": ";
    }
    void item() {
        if (!fresh_) out_ += ',';
        fresh_ = false;
        new_line();
    }
    void text(std::string_view value) { append_json_string(out_, value); }
    void raw(std::string_view value) { out_ += value; }
    void member(std::string_view key, std::string_view value) {
        name(key);
        text(value);
    }
    void raw_member(std::string_view key, std::string_view value) {
        name(key);
        raw(value);
    }
    [[nodiscard]] std::string take() { return std::move(out_) + "\n"; }

  private:
    void new_line() {
        out_ += '\n';
        out_.append(depth_ * 2, ' ');
    }

    std::string out_;
    std::size_t depth_ = 0;
    bool fresh_ = true;
};

constexpr std::string_view kReference = "#/definitions/reference";

std::string pattern_of(const Rule& rule) {
    const std::string_view letters = rule.letters.empty() ? "^\\u0000-\\u001f\\u007f" : rule.letters;
    return fmt::format("^[{}]{{{},{}}}$", letters, rule.shortest, rule.longest);
}

class SchemaWriter {
  public:
    std::string run();

  private:
    void value(const Row& row);
    void section(const Row& row);
    void shape_reference(std::string_view shape);
    void short_section(const Row& row);
    void short_list(const Row& row);
    void named(const Row& row);
    void list(const Row& row);
    void scalar(const Row& row);
    void integer(const Row& row);
    void any_of_pattern(const std::string& pattern);
    void reference();
    void standard(const Row& row);
    void properties(std::string_view path);
    void map_type(const Row& row);

    JsonWriter json_;
};

void SchemaWriter::reference() {
    json_.item();
    json_.open('{');
    json_.member("$ref", kReference);
    json_.close('}');
}

void SchemaWriter::any_of_pattern(const std::string& pattern) {
    json_.name("anyOf");
    json_.open('[');
    json_.item();
    json_.open('{');
    json_.member("type", "string");
    json_.member("pattern", pattern);
    json_.close('}');
    reference();
    json_.close(']');
}

void SchemaWriter::integer(const Row& row) {
    const Bounds range = bounds(row);
    json_.name("anyOf");
    json_.open('[');
    json_.item();
    json_.open('{');
    json_.member("type", "integer");
    json_.raw_member("minimum", std::to_string(parse_integer(range.low).value_or(0)));
    json_.raw_member("maximum", std::to_string(parse_integer(range.high).value_or(0)));
    json_.close('}');
    if (range.low != range.high) {
        json_.item();
        json_.open('{');
        json_.member("type", "string");
        json_.member("pattern", range.word ? fmt::format("^({}|[0-9]+[kM])$", *range.word) : "^[0-9]+[kM]$");
        json_.close('}');
    }
    reference();
    json_.close(']');
}

void SchemaWriter::scalar(const Row& row) {
    switch (row.type) {
    case Type::boolean:
        json_.name("anyOf");
        json_.open('[');
        json_.item();
        json_.open('{');
        json_.member("type", "boolean");
        json_.close('}');
        reference();
        json_.close(']');
        return;
    case Type::integer: return integer(row);
    case Type::duration: return any_of_pattern("^[0-9]+(ms|s|m|h|d)$");
    case Type::size:
        json_.name("anyOf");
        json_.open('[');
        json_.item();
        json_.open('{');
        json_.raw_member("type", R"(["string", "integer"])");
        json_.member("pattern", "^[0-9]+(KiB|MiB|GiB)?$");
        json_.raw_member("minimum", "0");
        json_.close('}');
        reference();
        json_.close(']');
        return;
    case Type::choice:
        json_.name("anyOf");
        json_.open('[');
        json_.item();
        json_.open('{');
        json_.name("enum");
        json_.open('[');
        for (const std::string_view word : words(row.constraint)) {
            json_.item();
            json_.text(word);
        }
        json_.close(']');
        json_.close('}');
        reference();
        json_.close(']');
        return;
    case Type::text: return any_of_pattern(pattern_of(find_rule(row.constraint)));
    case Type::endpoint: return any_of_pattern("^([0-9.]+|\\[[0-9a-fA-F:.]+\\]):[0-9]{1,5}$");
    case Type::secret:
        json_.member("type", "string");
        json_.raw_member("minLength", "1");
        return;
    case Type::money:
        json_.name("anyOf");
        json_.open('[');
        json_.item();
        json_.open('{');
        json_.member("type", "number");
        json_.raw_member("minimum", "0");
        json_.close('}');
        json_.item();
        json_.open('{');
        json_.member("type", "string");
        json_.member("pattern", "^[0-9]+(\\.[0-9]+)?$");
        json_.close('}');
        reference();
        json_.close(']');
        return;
    case Type::date: return any_of_pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?$");
    case Type::section:
    case Type::named:
    case Type::list: return;
    }
}

// The default as JSON; YAML's flow lists of words become lists of strings.
void SchemaWriter::standard(const Row& row) {
    if (row.standard.empty()) return;
    json_.name("default");
    if (row.type == Type::list) {
        json_.open('[');
        std::string_view inside = trim(row.standard.substr(1, row.standard.size() - 2));
        while (!inside.empty()) {
            const std::size_t end = inside.find(',');
            json_.item();
            json_.text(trim(inside.substr(0, end)));
            inside = end == std::string_view::npos ? std::string_view() : inside.substr(end + 1);
        }
        json_.close(']');
        return;
    }
    const bool bare = row.type == Type::boolean || (row.type == Type::integer && parse_decimal(row.standard));
    if (bare) {
        json_.raw(row.standard);
    } else {
        json_.text(row.standard);
    }
}

void SchemaWriter::properties(std::string_view path) {
    const std::vector<const Row*> rows = children(path);
    json_.raw_member("additionalProperties", "false");
    bool any_required = false;
    for (const Row* const row : rows) any_required = any_required || row->required;
    if (any_required) {
        json_.name("required");
        json_.open('[');
        for (const Row* const row : rows) {
            if (!row->required) continue;
            json_.item();
            json_.text(leaf(row->path));
        }
        json_.close(']');
    }
    json_.name("properties");
    json_.open('{');
    for (const Row* const row : rows) {
        json_.name(leaf(row->path));
        value(*row);
    }
    json_.close('}');
}

// A section whose keys are all commented out is null and means an empty one.
void SchemaWriter::map_type(const Row& row) {
    bool needs_keys = row.required;
    for (const Row* const below : children(row.path)) needs_keys = needs_keys || below->required;
    if (needs_keys) {
        json_.member("type", "object");
    } else {
        json_.raw_member("type", R"(["object", "null"])");
    }
}

void SchemaWriter::shape_reference(std::string_view shape) {
    json_.member("$ref", fmt::format("#/definitions/{}", shape.substr(1)));
}

void SchemaWriter::section(const Row& row) {
    if (row.constraint.starts_with('@')) return shape_reference(row.constraint);
    map_type(row);
    properties(row.path);
}

// A scalar, or the map whose most important key it is.
void SchemaWriter::short_section(const Row& row) {
    json_.name("oneOf");
    json_.open('[');
    json_.item();
    json_.open('{');
    scalar(*find_row(fmt::format("{}.{}", inside(row), row.short_form)));
    json_.close('}');
    json_.item();
    json_.open('{');
    section(row);
    json_.close('}');
    json_.close(']');
}

// A list, or its only item without brackets.
void SchemaWriter::short_list(const Row& row) {
    json_.name("oneOf");
    json_.open('[');
    json_.item();
    json_.open('{');
    list(row);
    json_.close('}');
    json_.item();
    json_.open('{');
    section(*find_row(std::string(row.path) + "[]"));
    json_.close('}');
    json_.close(']');
}

void SchemaWriter::named(const Row& row) {
    map_type(row);
    if (row.required) json_.raw_member("minProperties", "1");
    json_.name("propertyNames");
    json_.open('{');
    json_.member("pattern", pattern_of(find_rule(row.constraint)));
    json_.close('}');
    json_.name("additionalProperties");
    value(*find_row(std::string(row.path) + ".*"));
}

void SchemaWriter::list(const Row& row) {
    const bool filled = row.required || row.constraint == "nonempty";
    if (filled) {
        json_.member("type", "array");
        json_.raw_member("minItems", "1");
    } else {
        json_.raw_member("type", R"(["array", "null"])");
    }
    json_.name("items");
    value(*find_row(std::string(row.path) + "[]"));
}

void SchemaWriter::value(const Row& row) {
    json_.open('{');
    json_.member("description", row.description);
    if (!row.short_form.empty()) {
        row.type == Type::list ? short_list(row) : short_section(row);
    } else if (row.type == Type::section) {
        section(row);
    } else if (row.type == Type::named) {
        named(row);
    } else if (row.type == Type::list) {
        list(row);
    } else {
        scalar(row);
    }
    standard(row);
    json_.close('}');
}

std::string SchemaWriter::run() {
    json_.open('{');
    json_.member("$schema", "http://json-schema.org/draft-07/schema#");
    json_.member("title", "Tollgate configuration");
    json_.name("definitions");
    json_.open('{');
    json_.name("reference");
    json_.open('{');
    json_.member("description", "Holds ${env:NAME} or ${file:PATH}.");
    json_.member("type", "string");
    json_.member("pattern", "\\$\\{(env|file):[^}]+\\}");
    json_.close('}');
    for (const Row* const shape : shapes()) {
        json_.name(shape->path.substr(1));
        value(*shape);
    }
    json_.close('}');
    json_.member("type", "object");
    properties("");
    json_.close('}');
    return json_.take();
}

} // namespace

std::string json_schema() {
    return SchemaWriter().run();
}

} // namespace tollgate::config
