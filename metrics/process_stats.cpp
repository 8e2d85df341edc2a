#include "metrics/process_stats.hpp"

#include "gateway/base/text.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>

#include <sys/resource.h>
#include <unistd.h>

namespace tollgate::metrics {
namespace {

std::string read_text(const char* path) {
    const std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return std::move(text).str();
}

std::string_view next_word(std::string_view& text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    const std::string_view word = text.substr(0, text.find_first_of(" \t\n"));
    text.remove_prefix(word.size());
    return word;
}

double number_or_unknown(std::string_view word) {
    const std::optional<std::uint64_t> value = parse_decimal(word);
    return value ? static_cast<double>(*value) : ProcessStats::kUnknown;
}

// The number after `name` at the start of a line.
double field(std::string_view text, std::string_view name) {
    for (std::size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
        if (at != 0 && text[at - 1] != '\n') continue;
        std::string_view rest = text.substr(at + name.size());
        return number_or_unknown(next_word(rest));
    }
    return ProcessStats::kUnknown;
}

double soft_limit(__rlimit_resource resource) {
    rlimit limit{};
    if (::getrlimit(resource, &limit) != 0) return ProcessStats::kUnknown;
    return static_cast<double>(limit.rlim_cur); // RLIM_INFINITY is 2^64-1, which other exporters show as well
}

double count_open_fds() {
    std::error_code error;
    double count = 0;
    for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
         it.increment(error)) {
        ++count;
    }
    return error || count == 0 ? ProcessStats::kUnknown : count - 1; // the directory's own descriptor
}

} // namespace

void parse_process_stat(std::string_view stat, double boot_time, double ticks, double page, ProcessStats& out) {
    const std::size_t name_end = stat.rfind(')');
    if (name_end == std::string_view::npos) return;
    std::string_view rest = stat.substr(name_end + 1);
    constexpr std::size_t kFirst = 3; // proc(5) counts fields from 1; `state` follows the name
    constexpr std::size_t kLast = 24;
    std::array<double, kLast + 1> value{};
    for (std::size_t i = kFirst; i <= kLast; ++i) value[i] = number_or_unknown(next_word(rest));
    out.cpu_seconds = (value[14] + value[15]) / ticks;
    out.threads = value[20];
    out.start_time_seconds = boot_time + value[22] / ticks;
    out.virtual_bytes = value[23];
    out.resident_bytes = value[24] * page;
}

ProcessStats read_process_stats() {
    ProcessStats stats;
    parse_process_stat(read_text("/proc/self/stat"), field(read_text("/proc/stat"), "btime"),
                       static_cast<double>(::sysconf(_SC_CLK_TCK)), static_cast<double>(::sysconf(_SC_PAGESIZE)),
                       stats);
    stats.heap_bytes = field(read_text("/proc/self/status"), "VmData:") * 1024;
    stats.virtual_max_bytes = soft_limit(RLIMIT_AS);
    stats.max_fds = soft_limit(RLIMIT_NOFILE);
    stats.open_fds = count_open_fds();
    return stats;
}

} // namespace tollgate::metrics
