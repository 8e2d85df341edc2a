// One scalar's text → a value. Pure; the caller knows the key and says what was wanted.
#pragma once

#include "config/config.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace tollgate::config {

// Why a text is not the value: a short hint to print beside it, possibly empty. Never quotes the text.
template <class T>
using Parsed = std::expected<T, std::string>;

[[nodiscard]] Parsed<std::uint64_t> parse_integer(std::string_view text);              // 600, 100k, 2M
[[nodiscard]] Parsed<std::chrono::milliseconds> parse_duration(std::string_view text); // 30ms, 5s, 10m, 1h, 7d
[[nodiscard]] Parsed<std::uint64_t> parse_size(std::string_view text);                 // octets, or KiB, MiB, GiB
[[nodiscard]] Parsed<Endpoint> parse_endpoint(std::string_view text);
[[nodiscard]] Parsed<std::chrono::sys_seconds> parse_date(std::string_view text);

// What a plain scalar is by the core schema of YAML 1.2 §10.3.2.
enum class Shape : std::uint8_t { text, number, boolean, null };
[[nodiscard]] Shape shape_of(std::string_view plain) noexcept;

} // namespace tollgate::config
