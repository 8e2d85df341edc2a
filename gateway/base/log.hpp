// The gateway's own log: one JSON line per event on stderr, any thread. Never a secret, a body or a header value.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>

namespace tollgate::log {

enum class Level : std::uint8_t { debug, info, warning, error };
inline constexpr std::size_t kLevels = 4;

using Field = std::pair<std::string_view, std::string_view>;

void write(Level level, std::string_view message, std::initializer_list<Field> fields = {});

inline void info(std::string_view message, std::initializer_list<Field> fields = {}) {
    write(Level::info, message, fields);
}
inline void warning(std::string_view message, std::initializer_list<Field> fields = {}) {
    write(Level::warning, message, fields);
}
inline void error(std::string_view message, std::initializer_list<Field> fields = {}) {
    write(Level::error, message, fields);
}

// Lines written so far, for tollgate_log_messages_total.
[[nodiscard]] std::uint64_t count(Level level) noexcept;
[[nodiscard]] std::string_view to_string(Level level) noexcept;

} // namespace tollgate::log
