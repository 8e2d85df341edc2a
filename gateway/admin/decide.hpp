// An admin request → its answer and, for a write, the change to make. Pure: the caller brings time and randomness, and
// carries out what was decided.
#pragma once

#include "gateway/admin/routes.hpp"
#include "gateway/admin/state.hpp"
#include "policy/directory.hpp"

#include <chrono>
#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tollgate::admin {

struct Answer {
    int status = 200;
    std::string body; // JSON
};

struct Call {
    Match route;
    std::string query, body;
    std::string actor;   // "admin_token", "cli"
    std::string address; // of the peer; empty: none
};

// What a decision may need besides the state.
struct Given {
    std::chrono::sys_seconds now{};
    const policy::GeneratedKey& fresh; // for a key that is made
};

// Made in one step; `answer` is given when that has worked.
struct Write {
    policy::Change change;
    policy::AuditEvent event;
    State next; // could be compiled
    Answer answer;
};

// A refusal that goes into the audit log too.
struct Refusal {
    Problem problem;
    std::optional<policy::AuditEvent> event{};
};

// Reads of keys and scopes.
[[nodiscard]] std::expected<Answer, Problem> read(const Call& call, const State& state, const Given& given);
// create_key, edit_key, delete_key, rotate_key, edit_scope.
[[nodiscard]] std::expected<Write, Refusal> write(const Call& call, const State& state, const Given& given);

// "audit" and "list_keys" in pages: the values of a query's members, decoded. Unknown or repeated ones are refused.
using Query = std::map<std::string, std::string, std::less<>>;
[[nodiscard]] std::expected<Query, Problem> parse_query(std::string_view query,
                                                        std::span<const std::string_view> known);
// 1 to `most`; `otherwise` if it is absent.
[[nodiscard]] std::expected<std::int64_t, Problem> page_size(const Query& query, std::int64_t otherwise,
                                                             std::int64_t most);

} // namespace tollgate::admin
