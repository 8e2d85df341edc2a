// YAML text → Config, strictly: every problem at once, each with its place and a suggestion.
#pragma once

#include "config/config.hpp"

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::config {

enum class Severity : std::uint8_t { error, warning };

struct Diagnostic {
    Severity severity = Severity::error;
    std::string code; // "E0113", stable
    std::string message;
    Mark mark;
    std::size_t length = 1; // columns to underline
    std::string label;      // beside the underline: "did you mean `upstreams`?"
    std::string help;
};

struct Loaded {
    std::optional<Config> config; // absent if there is any error
    std::vector<Diagnostic> diagnostics;
};

// Looks up an environment variable; tests pass their own.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
[[nodiscard]] Environment process_environment();

// Pure apart from the environment and the existence checks of named files.
[[nodiscard]] Loaded load_text(std::string_view text, const std::string& file, const Environment& environment);
// Reads the file (at most 16 MiB) first; an unreadable file is one diagnostic.
[[nodiscard]] Loaded load_file(const std::string& file, const Environment& environment);

// rustc-shaped report: code, place, source line, underline, help, and a count at the end. Never prints a secret:
// lines that hold one show only up to the value.
[[nodiscard]] std::string render(const Loaded& loaded, std::string_view text, const std::string& file);

} // namespace tollgate::config
