// The table of configs that must be refused (or warned about), with what is said and where.
#pragma once

#include <ostream>
#include <span>
#include <string>
#include <string_view>

namespace tollgate::config::test {

struct BadConfig {
    std::string_view name;
    std::string text; // the whole file
    std::string_view code;
    int line = 0;
    int column = 0;
    std::string_view piece; // somewhere in message, label or help

    friend void PrintTo(const BadConfig& bad, std::ostream* out) { *out << bad.name; }
};

[[nodiscard]] std::span<const BadConfig> bad_configs();

} // namespace tollgate::config::test
