// The composition root: everything is constructed here, in order, and destroyed in reverse. No singletons elsewhere.
#pragma once

#include "config/config.hpp"

namespace tollgate {

// Runs until SIGTERM or SIGINT has drained it. Returns the exit code: 0 after a drain, 1 if it could not start.
[[nodiscard]] int run_gateway(config::Config config);

} // namespace tollgate
