// The last words of a process that dies of a signal: one JSON line on stderr, then the default action (F79).
#pragma once

namespace tollgate::process {

// For SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS and SIGABRT (an uncaught exception ends there). The line names the
// signal, the faulting address and the instruction, both relative to the executable where they lie in it, for
// addr2line. Memory is neither allocated nor dumped. Nothing in sanitizer builds, whose own report says more.
void report_crashes() noexcept;

} // namespace tollgate::process
