// The one table of every key an operator may write. The validator, the JSON Schema and the reference page read it;
// nothing else knows a key's type, range or default.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::config {

enum class Type : std::uint8_t {
    section, // fixed keys
    named,   // map whose keys are names chosen by the operator; rows below it say `*`
    list,    // rows of the items say `[]`
    boolean,
    integer, // `k` and `M` may follow
    duration,
    size,
    text,
    choice,
    endpoint,
    secret,
    date,
    money, // US dollars: quoted or not, the decimal text counts
};
[[nodiscard]] std::string_view to_string(Type type) noexcept;

struct Row {
    std::string_view path; // "models.*.upstreams[].weight"
    Type type = Type::text;
    std::string_view standard;   // the default as one would write it; empty: none
    std::string_view constraint; // by type: numbers "min..max" or "word|min..max"; choice "a|b"; text and named: a
                                 // rule's name; list "nonempty"; section: the shape whose keys it has, "@rate"; money
                                 // "usd|min..max", "million" (USD for a million tokens), "each" (USD for one) or
                                 // "times|min..max" (a factor)
    std::string_view description;
    bool required = false;    // for lists and named maps: and not empty
    std::string_view later{}; // choice: words of a later version, "*" = every other word
    // Section: the key that a lone scalar stands for. List: "item" if a lone map stands for a list of one.
    std::string_view short_form{};
};

// What text or names may hold. `letters` is the inside of a regular expression's [], empty: anything printable.
struct Rule {
    std::string_view name;
    std::string_view letters;
    std::size_t shortest = 1;
    std::size_t longest = 256;
    std::string_view want; // "1 to 64 of letters, digits, …"
};

// A key that design or habit suggests and this version would not act on: refused rather than ignored.
struct LaterKey {
    std::string_view path; // "**.budget": at any depth
    std::string_view what; // "budgets"
};

[[nodiscard]] std::span<const Row> all_rows() noexcept;
[[nodiscard]] std::span<const LaterKey> later_keys() noexcept;

// The row of a pattern path, or null.
[[nodiscard]] const Row* find_row(std::string_view path) noexcept;
// Rows one level below `path` (the empty path: top level), in table order.
[[nodiscard]] std::vector<const Row*> children(std::string_view path);
// Sections that stand in several places, written once under a name of their own: "@rate".
[[nodiscard]] std::vector<const Row*> shapes();
// The path under which the keys of a section stand: its shape's, or its own.
[[nodiscard]] std::string_view inside(const Row& row) noexcept;
// Last segment of a pattern path: "weight".
[[nodiscard]] std::string_view leaf(std::string_view path) noexcept;
// The row for a key of a later version at this pattern path, or null.
[[nodiscard]] const LaterKey* find_later(std::string_view path) noexcept;

[[nodiscard]] const Rule& find_rule(std::string_view name) noexcept; // total: every name in the table has a rule
[[nodiscard]] bool obeys(const Rule& rule, std::string_view text) noexcept;

// The parts of a constraint between '|'.
[[nodiscard]] std::vector<std::string_view> words(std::string_view constraint);

struct Bounds {
    std::optional<std::string_view> word; // "auto"
    std::string_view low, high;           // as written
};
[[nodiscard]] Bounds bounds(const Row& row);

} // namespace tollgate::config
