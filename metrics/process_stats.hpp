// What the kernel says about this process, under the official process_* names.
#pragma once

#include <limits>
#include <string_view>

namespace tollgate::metrics {

// NaN: the kernel did not say. Bytes and seconds.
struct ProcessStats {
    static constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
    double cpu_seconds = kUnknown;
    double resident_bytes = kUnknown;
    double virtual_bytes = kUnknown;
    double virtual_max_bytes = kUnknown;
    double heap_bytes = kUnknown;
    double open_fds = kUnknown;
    double max_fds = kUnknown;
    double threads = kUnknown;
    double start_time_seconds = kUnknown; // Unix time
};

// Reads /proc and the resource limits: tens of microseconds, so not for an I/O thread.
[[nodiscard]] ProcessStats read_process_stats();

// The fields of /proc/<pid>/stat (proc(5)). Pure. The command name in it may hold spaces and parentheses.
// `boot_time` is the Unix time of the boot, `ticks` the clock ticks per second, `page` the page size in bytes.
void parse_process_stat(std::string_view stat, double boot_time, double ticks, double page, ProcessStats& out);

} // namespace tollgate::metrics
