// `tollgate cache stats` and `tollgate cache purge`: asks the running gateway.
#pragma once

namespace CLI {
class App;
}

namespace tollgate::cli {

// A callback sets `code`: 0 done, 1 not done and said why. `code` outlives the app.
void add_cache_commands(CLI::App& app, int& code);

} // namespace tollgate::cli
