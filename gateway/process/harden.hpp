// What a process that holds keys does before it reads the first one. Called by main() before any thread exists.
#pragma once

namespace tollgate::process {

// No core file and no other process of the same user may read the memory (R24, F79). Cannot fail on Linux.
void forbid_core_dumps() noexcept;

// A closed pipe and a full file are error codes, not deaths; nor is a timer's, a reload's or a rotation's signal,
// before or after somebody waits for it (F78).
void ignore_stray_signals() noexcept;

} // namespace tollgate::process
