// Seccomp: what a gateway never does is taken from it, so that code that was smuggled in cannot do it either (R13).
#pragma once

#include <expected>
#include <string>

namespace tollgate::process {

// Installs the filter for the calling thread and all it starts later, with no_new_privs; never undone. A forbidden call
// fails with EPERM (clone3 with ENOSYS, because the C library then falls back to clone, whose flags can be judged) and
// is written to the kernel's audit log. Call it before the first thread. The error says what the kernel refused.
[[nodiscard]] std::expected<void, std::string> confine();

// False in sanitizer builds: LeakSanitizer stops the process with clone() and ptrace() when it ends, and every report
// starts llvm-symbolizer. What ships always forbids new processes.
[[nodiscard]] bool forbids_new_processes() noexcept;

} // namespace tollgate::process
