// The key a first start without keys makes for itself (design §8).
#pragma once

#include "config/config.hpp"
#include "policy/store.hpp"

#include <expected>
#include <string>
#include <vector>

namespace tollgate {

// Keys of the store. If neither the file nor the store has one, makes one, keeps its hash, and shows the secret once:
// on stderr if that is a terminal, else in a 0600 file beside the store whose path is logged. Error: text for the
// operator.
[[nodiscard]] std::expected<std::vector<policy::StoredKey>, std::string>
stored_or_first_key(const config::Config& config, policy::Store& store);

} // namespace tollgate
