// One kept completion, told again: as JSON or as the events of its dialect, with a new id and time. Pure.
#pragma once

#include "gateway/api/replay/dialect.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate::api::replay {

// What makes an answer this one and not the one that was kept.
struct Identity {
    std::string_view token; // [A-Za-z0-9_]+, unlike any other's; comes behind the kept id's own prefix
    std::int64_t now = 0;   // seconds since 1970
};

// The octets of `answer`, but for id and created (id, created_at and completed_at of a response). Nothing if it is not
// an object.
[[nodiscard]] std::optional<std::string> as_json(Dialect dialect, std::string_view answer, const Identity& identity);

// The answer as server-sent events, to the end mark. `include_usage` as in stream_options. Nothing if something in it
// has no known form as events, or the usage is asked for and unknown.
[[nodiscard]] std::optional<std::string> as_events(Dialect dialect, std::string_view answer, const Identity& identity,
                                                   bool include_usage);

} // namespace tollgate::api::replay
