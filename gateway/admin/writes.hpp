// Shared by reads and writes of the admin API.
#pragma once

#include "gateway/admin/decide.hpp"

namespace tollgate::admin {

// As an administrator sees them, or 404.
[[nodiscard]] std::expected<json::object, Problem> view_key(const State& state, const std::string& id,
                                                            std::chrono::sys_seconds now);
[[nodiscard]] std::expected<json::object, Problem> view_scope(const State& state, const std::string& kind,
                                                              const std::string& name);
// Settings as the store keeps them; it holds nothing but objects.
[[nodiscard]] json::object settings_of(const std::string& text);

} // namespace tollgate::admin
