// What the commands share: where the configuration is and how a failure is said.
#pragma once

#include "config/config.hpp"

#include <optional>
#include <string>

namespace tollgate::cli {

inline constexpr const char* kDefaultFile = "tollgate.yaml";

// Diagnostics go to stderr; nothing if there are errors.
[[nodiscard]] std::optional<config::Config> load_config(const std::string& file);

// Says it on stderr and gives back `code`, the exit code: 1 failed, 2 used wrongly.
int complain(int code, const std::string& why);

} // namespace tollgate::cli
