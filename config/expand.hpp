// ${env:NAME} and ${file:PATH} inside values.
#pragma once

#include "config/diagnostics.hpp"
#include "config/load.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace tollgate::config {

struct Expanded {
    std::string text;
    bool changed = false; // holds something that is not written in the config
};

// `$${` stands for a literal `${`. A file loses one line end at its end and may hold at most 1 MiB. `where` is the
// key's path for messages. Nothing if something is unset or unreadable; all of it is in the sink.
[[nodiscard]] std::optional<Expanded> expand(std::string_view text, const std::string& where, const Place& place,
                                             const Environment& environment, Sink& sink);

// Is the whole text one reference, so that showing it shows no secret?
[[nodiscard]] bool is_reference(std::string_view text) noexcept;

enum class FileStatus : std::uint8_t { ok, unreadable, too_large };

struct FileText {
    FileStatus status = FileStatus::unreadable;
    std::string text;
    std::string reason; // of `unreadable`, the system's words
};

// The whole file, at most `limit` octets.
[[nodiscard]] FileText read_file(const std::string& path, std::size_t limit);

} // namespace tollgate::config
