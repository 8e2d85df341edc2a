// One entry that arrives by itself, not as part of a file: a key, or the limits of a scope. The rules of the file hold.
#pragma once

#include "config/node.hpp"

#include <optional>
#include <vector>

namespace tollgate::config {

// What stands below `teams.*`, `orgs.*` or `models.*` and may be changed while Tollgate runs.
struct ScopeEntry {
    Limits limits;
    std::vector<Budget> budgets;
    ModelShares per_model; // not of models
};

template <class T>
struct Entry {
    std::optional<T> value; // absent if there is any error; without marks
    std::vector<Diagnostic> diagnostics;
};

// `node` must hold no `${…}`: nothing is looked up outside of it. Marks in the diagnostics are those of the nodes.
// `around`: the configuration it would be part of; null: only what the entry says by itself is checked.
[[nodiscard]] Entry<Key> read_key(const Node& node, const Config* around);

enum class ScopeKind : std::uint8_t { model, org, team };
[[nodiscard]] Entry<ScopeEntry> read_scope(const Node& node, ScopeKind kind, const Config& around);

} // namespace tollgate::config
