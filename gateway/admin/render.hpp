// Limits, budgets and keys as JSON, in the words of the configuration file.
#pragma once

#include "config/config.hpp"
#include "policy/stored_key.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <string>

namespace tollgate::admin {

namespace json = boost::json;

[[nodiscard]] json::object render(const config::Limits& limits);
[[nodiscard]] json::array render(const std::vector<config::Budget>& budgets);
[[nodiscard]] json::object render(const config::ModelShares& shares);
[[nodiscard]] std::string render(std::chrono::sys_seconds instant); // "2026-10-05T13:00:00Z"

// What is set of one entry: {"limits":…,"budget":…,"per_model":…}.
[[nodiscard]] json::object render_scope(const config::Limits& limits, const std::vector<config::Budget>& budgets,
                                        const config::ModelShares& shares);

// A key as administrators see it. Never its secret, nor a hash.
[[nodiscard]] json::object render_key(const config::Config& config, const config::Key& key,
                                      std::chrono::sys_seconds now);
// `stored.entry` must be set.
[[nodiscard]] json::object render_key(const config::Config& config, const policy::StoredKey& stored,
                                      std::chrono::sys_seconds now);

} // namespace tollgate::admin
