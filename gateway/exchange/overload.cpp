#include "gateway/exchange/overload.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <string>
#include <unistd.h>

namespace tollgate::exchange {
namespace {

struct Step {
    Pressure pressure;
    std::uint64_t percent;
};
constexpr std::array kSteps{Step{Pressure::shed, 95}, Step{Pressure::no_keep_alive, 92}, Step{Pressure::trim, 85}};
constexpr std::uint64_t kHysteresis = 3; // percent

// A number, or nothing for "max" and for a file that is not there.
std::uint64_t number_in(const std::string& path) {
    std::ifstream file(path);
    std::uint64_t value = 0;
    return file >> value ? value : 0;
}

// The least memory.max from the process' own group (version 2) up to the root.
std::uint64_t group_limit() {
    std::ifstream groups("/proc/self/cgroup");
    std::string line;
    std::uint64_t least = 0;
    while (std::getline(groups, line)) {
        if (!line.starts_with("0::")) continue;
        for (std::string path = line.substr(3); !path.empty(); path.erase(path.rfind('/'))) {
            const std::uint64_t limit = number_in("/sys/fs/cgroup" + path + "/memory.max");
            if (limit != 0) least = least == 0 ? limit : std::min(least, limit);
            if (path.rfind('/') == std::string::npos) break;
        }
    }
    if (least == 0) least = number_in("/sys/fs/cgroup/memory.max");
    return least != 0 ? least : number_in("/sys/fs/cgroup/memory/memory.limit_in_bytes"); // version 1
}

} // namespace

std::string_view to_string(Pressure pressure) noexcept {
    switch (pressure) {
    case Pressure::none: return "none";
    case Pressure::trim: return "trim";
    case Pressure::no_keep_alive: return "no_keep_alive";
    case Pressure::shed: return "shed";
    }
    return "";
}

Pressure memory_pressure(std::uint64_t used, std::uint64_t limit, Pressure before) noexcept {
    if (limit == 0) return Pressure::none;
    const std::uint64_t percent = used / (limit / 100 + 1);
    for (const Step& step : kSteps) {
        const std::uint64_t down = before >= step.pressure ? kHysteresis : 0;
        if (percent >= step.percent - down) return step.pressure;
    }
    return Pressure::none;
}

Pressure connection_pressure(unsigned open, unsigned most) noexcept {
    return open >= most - most / 10 && most >= 10 ? Pressure::no_keep_alive : Pressure::none;
}

bool worth_trimming(std::uint64_t resident, std::uint64_t allocated) noexcept {
    constexpr std::uint64_t kUnowned = 64ULL << 20;
    return resident > kUnowned && allocated < resident - kUnowned;
}

std::uint64_t memory_available() {
    const long pages = ::sysconf(_SC_PHYS_PAGES);
    const std::uint64_t machine =
        pages > 0 ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
    const std::uint64_t group = group_limit();
    if (group == 0 || machine == 0) return std::max(group, machine);
    return std::min(group, machine);
}

std::uint64_t memory_in_use() {
    std::ifstream statm("/proc/self/statm");
    std::uint64_t total = 0;
    std::uint64_t resident = 0;
    if (!(statm >> total >> resident)) return 0;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

} // namespace tollgate::exchange
