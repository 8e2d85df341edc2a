// What the two forms and the dialects share when a kept completion is told. Private to the replay.
#pragma once

#include "gateway/api/replay/json_text.hpp"
#include "gateway/api/replay/replay.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace tollgate::api::replay {

// That new ids begin with if the kept one has no prefix.
[[nodiscard]] std::string_view id_prefix(Dialect dialect) noexcept;

// The events of an answer that has no line ends; arguments as of as_events.
[[nodiscard]] std::optional<std::string> chunk_events(Dialect dialect, std::string_view answer,
                                                      const Identity& identity, bool include_usage);
[[nodiscard]] std::optional<std::string> response_events(std::string_view answer, const Identity& identity);

} // namespace tollgate::api::replay
