// Is a complete answer one to be given again (design §10)? Pure.
#pragma once

#include "gateway/api/replay/dialect.hpp"

#include <string_view>

namespace tollgate::api::replay {

// Why not; empty if it is. One of: unreadable, error, incomplete, content_filter, length, empty, arguments. `limited`:
// the request itself set a maximum of tokens, so that an answer cut there is the answer to it.
[[nodiscard]] std::string_view unfit(Dialect dialect, std::string_view answer, bool limited);

} // namespace tollgate::api::replay
