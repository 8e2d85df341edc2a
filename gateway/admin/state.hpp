// What the file and the store say together: the configuration that requests are decided by.
#pragma once

#include "gateway/admin/json_body.hpp"
#include "policy/store.hpp"

#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace tollgate::admin {

// As they were read, without each other.
struct State {
    config::Config file;
    std::vector<policy::StoredKey> keys; // with their entries
    std::vector<policy::Override> overrides;
};

// To be compiled.
struct Effective {
    config::Config config;
    std::vector<policy::StoredKey> keys;
};

// What the store has is laid over the file: limits and budgets that the file does not have are added; to those that it
// has, only a temporary raise; keys of the file may be disabled. Overrides of what the file no longer has are left out.
// Error: something of the store that cannot be read beside this file, for the operator.
[[nodiscard]] std::expected<Effective, std::string> effective(const State& state);

// The state after a change that the store has made.
[[nodiscard]] State after(State state, const policy::Change& change);

// Everything that would keep `state` from being compiled; empty: nothing.
[[nodiscard]] std::string problem_of(const Effective& effective);

// Sets the entries of keys as the store gave them. Error: text for the operator.
[[nodiscard]] std::expected<void, std::string> fill_entries(std::vector<policy::StoredKey>& keys);

// The settings of a key, read by the rules of the file. `around`: null if they were checked against it before.
[[nodiscard]] std::expected<config::Key, Problem>
read_key_settings(const json::object& settings, const policy::StoredKey& key, const config::Config* around);

// `settings` laid over what the file has for a scope. 409 if they touch more than the file leaves open. `scope` names
// it in messages: "team `search`".
struct Scope {
    std::string kind, name;
    config::Limits* limits = nullptr;
    std::vector<config::Budget>* budgets = nullptr;
    config::ModelShares* per_model = nullptr; // null: of models
};
// Where the scope stands in `config`, to be changed there. Nothing if there is none of that name.
[[nodiscard]] std::optional<Scope> find_scope(config::Config& config, const std::string& kind, const std::string& name);
[[nodiscard]] std::expected<void, Problem> lay_over(Scope& scope, const json::object& settings,
                                                    const config::Config& around);

} // namespace tollgate::admin
