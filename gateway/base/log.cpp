#include "gateway/base/log.hpp"

#include "gateway/base/text.hpp"
#include "gateway/base/time.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <unistd.h>

#include <array>
#include <string>

namespace tollgate::log {
namespace {

std::array<std::atomic<std::uint64_t>, kLevels> counts{};

} // namespace

std::string_view to_string(Level level) noexcept {
    static constexpr std::array<std::string_view, kLevels> kNames{"debug", "info", "warn", "error"};
    return kNames[static_cast<std::size_t>(level)];
}

void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
    counts[static_cast<std::size_t>(level)].fetch_add(1, std::memory_order_relaxed);
    const auto now = std::chrono::floor<std::chrono::milliseconds>(WallClock::now());
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
    std::string line =
        fmt::format(R"({{"@timestamp":"{:%Y-%m-%dT%H:%M:%S}.{:03}Z","log.level":"{}","message":)",
                    fmt::gmtime(WallClock::to_time_t(seconds)), (now - seconds).count(), to_string(level));
    append_json_string(line, message);
    line += R"(,"event.dataset":"tollgate.log")";
    for (const auto& [name, value] : fields) {
        line += ',';
        append_json_string(line, name);
        line += ':';
        append_json_string(line, value);
    }
    line += "}\n";
    // One write per line keeps lines of several threads apart; a full or closed stderr loses the line, never the
    // process.
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

std::uint64_t count(Level level) noexcept {
    return counts[static_cast<std::size_t>(level)].load(std::memory_order_relaxed);
}

} // namespace tollgate::log
