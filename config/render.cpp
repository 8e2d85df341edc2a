#include "config/load.hpp"

#include "config/mask.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

namespace tollgate::config {
namespace {

constexpr std::size_t kWidest = 120; // columns of an excerpt

bool is_continuation(char c) noexcept {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

std::size_t characters(std::string_view text) noexcept {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return !is_continuation(c); }));
}

// Nothing in a config may move the reader's cursor.
std::string printable(std::string_view text) {
    std::string out(text);
    std::ranges::replace(out, '\t', ' ');
    std::ranges::replace_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, '?');
    return out;
}

struct Excerpt {
    std::string line;
    std::string underline;
};

// The visible part of the line, narrowed to a window that holds the start of the underline.
Excerpt excerpt(std::string_view whole, std::string_view visible, const Diagnostic& diagnostic) {
    const auto column = static_cast<std::size_t>(std::max(diagnostic.mark.column, 1)) - 1;
    const std::size_t start = std::min(column, visible.size());
    const std::size_t end = std::min(start + std::max<std::size_t>(diagnostic.length, 1), visible.size());
    std::size_t from = visible.size() > kWidest && start > kWidest / 2 ? start - kWidest / 2 : 0;
    while (from > 0 && is_continuation(visible[from])) --from;
    std::size_t to = std::min(visible.size(), from + kWidest);
    while (to < visible.size() && is_continuation(visible[to])) ++to;
    const std::string_view ellipsis = "…";
    Excerpt out;
    if (from > 0) out.line = ellipsis;
    out.line += printable(visible.substr(from, to - from));
    if (to < whole.size()) out.line += ellipsis;
    const std::size_t indent = characters(visible.substr(from, start - from)) + (from > 0 ? 1 : 0);
    const std::size_t length = characters(visible.substr(start, std::min(end, std::max(start, to)) - start));
    out.underline = std::string(indent, ' ') + std::string(std::max<std::size_t>(length, 1), '^');
    return out;
}

void append(std::string& out, const Diagnostic& diagnostic, const Mask& mask, const Lines& lines,
            const std::string& file) {
    const auto into = std::back_inserter(out);
    const std::string_view word = diagnostic.severity == Severity::error ? "error" : "warning";
    fmt::format_to(into, "{}[{}]: {}\n", word, diagnostic.code, printable(diagnostic.message));
    if (diagnostic.mark.line <= 0) {
        fmt::format_to(into, "  --> {}\n", file);
        if (!diagnostic.help.empty()) fmt::format_to(into, "   = help: {}\n", printable(diagnostic.help));
        return;
    }
    const std::string number = std::to_string(diagnostic.mark.line);
    const std::string margin(number.size(), ' ');
    const Excerpt shown = excerpt(lines[diagnostic.mark.line], mask.visible(diagnostic.mark.line), diagnostic);
    fmt::format_to(into, "{}--> {}:{}:{}\n", margin, file, number, diagnostic.mark.column);
    fmt::format_to(into, "{} |\n{} | {}\n{} | {}", margin, number, shown.line, margin, shown.underline);
    if (!diagnostic.label.empty()) fmt::format_to(into, " {}", printable(diagnostic.label));
    out += '\n';
    if (!diagnostic.help.empty()) fmt::format_to(into, "{} = help: {}\n", margin, printable(diagnostic.help));
}

std::string counted(std::size_t count, std::string_view what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

} // namespace

std::string render(const Loaded& loaded, std::string_view text, const std::string& file) {
    if (loaded.diagnostics.empty()) return fmt::format("no problems in {}\n", file);
    const Mask mask(text);
    const Lines lines(text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text);
    std::string out;
    for (const Diagnostic& diagnostic : loaded.diagnostics) {
        append(out, diagnostic, mask, lines, file);
        out += '\n';
    }
    const auto errors =
        static_cast<std::size_t>(std::ranges::count(loaded.diagnostics, Severity::error, &Diagnostic::severity));
    const std::size_t warnings = loaded.diagnostics.size() - errors;
    out += counted(errors, "error");
    if (warnings != 0) out += ", " + counted(warnings, "warning");
    fmt::format_to(std::back_inserter(out), " in {}\n", file);
    return out;
}

} // namespace tollgate::config
