// The words in which the validator speaks of values and keys. Pure.
#pragma once

#include "config/key_table.hpp"
#include "config/node.hpp"

#include <string>
#include <string_view>

namespace tollgate::config {

// What stands there: "a number", "quoted text", "a list".
[[nodiscard]] std::string describe(const Node& node);
// "want …" of a row.
[[nodiscard]] std::string wanted(const Row& row);
// Path of the row that a lone scalar in place of this section stands for.
[[nodiscard]] std::string short_path(const Row& section);
// "it belongs in `limits`" for a key that a section below this one, or any section, knows; or empty.
[[nodiscard]] std::string belongs(std::string_view name, const Row& here);

[[nodiscard]] constexpr bool is_container(Type type) noexcept {
    return type == Type::section || type == Type::named || type == Type::list;
}

} // namespace tollgate::config
