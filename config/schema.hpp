// One table of every key: type, default, constraint, description. Validation, JSON Schema and the reference page all
// come from it, so they cannot disagree.
#pragma once

#include <string>

namespace tollgate::config {

[[nodiscard]] std::string json_schema();        // JSON Schema draft 2020-12, pretty printed
[[nodiscard]] std::string reference_markdown(); // docs/config.md

} // namespace tollgate::config
