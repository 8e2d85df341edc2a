// `tollgate keys …` and `tollgate audit verify`.
#pragma once

namespace CLI {
class App;
}

namespace tollgate::cli {

// Commands with their options; a callback sets `code`: 0 done, 1 refused or failed, 2 used wrongly. `code` outlives the
// app.
void add_keys_commands(CLI::App& app, int& code);
void add_audit_commands(CLI::App& app, int& code);

} // namespace tollgate::cli
