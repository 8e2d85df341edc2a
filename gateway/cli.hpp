// The command line: run, config check, config schema, config reference, health, usage, ledger verify, version.
#pragma once

namespace tollgate {

// Exit codes: 0 good, 1 the configuration or the start failed, or the ledger is damaged, 2 the command line is wrong.
[[nodiscard]] int run_command_line(int argc, char** argv);

} // namespace tollgate
