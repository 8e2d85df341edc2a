// The command line: run, config check, config schema, config reference, version.
#pragma once

namespace tollgate {

// Exit codes: 0 good, 1 the configuration or the start failed, 2 the command line is wrong.
[[nodiscard]] int run_command_line(int argc, char** argv);

} // namespace tollgate
