// The answer of a flight for a follower that asked for it in another form than the leader did. Pure.
#pragma once

#include "cache/flight.hpp"
#include "gateway/api/replay/dialect.hpp"

#include <optional>
#include <string>

namespace tollgate::exchange {

// The whole completion that the log of a complete flight tells: JSON as it is, events put together. Nothing if a part
// of the log is gone, or if it cannot be put together faithfully.
[[nodiscard]] std::optional<std::string> completion_of(api::replay::Dialect dialect, const cache::Flight::Reading& log);

} // namespace tollgate::exchange
