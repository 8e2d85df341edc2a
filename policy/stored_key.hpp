// What the store keeps of keys and of changes to what the configuration file owns.
#pragma once

#include "config/config.hpp"

#include <cstdint>
#include <string>

namespace tollgate::policy {

// A key that the gateway made; the secret itself is never kept.
struct StoredKey {
    std::string id;
    std::string team;
    std::string sha256;          // lower-case hex of SHA-256(secret)
    std::string settings = "{}"; // whatever else an item of `keys` may hold, as a JSON object
    bool disabled = false;
    std::string created{};         // UTC, "2026-10-05T13:00:00Z"; empty: the store fills it in
    std::string updated{};         // empty: never
    std::string former_sha256{};   // of the secret before the last rotation
    std::int64_t former_until = 0; // Unix seconds; from then on the former secret is refused
    config::Key entry{};           // `settings` as values, for compiling; the store leaves it empty
};

// Changes on top of what the file says of a key, team, org or model.
struct Override {
    std::string kind; // "key", "team", "org", "model"
    std::string name;
    std::string settings = "{}"; // JSON object
};

} // namespace tollgate::policy
