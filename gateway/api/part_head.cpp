#include "gateway/api/part_head.hpp"

#include "gateway/api/json_precheck.hpp"
#include "gateway/api/multipart.hpp"
#include "gateway/base/text.hpp"

#include <algorithm>
#include <utility>

namespace tollgate::api {
namespace {

constexpr std::size_t kMaxBoundary = 70;

std::unexpected<Error> malformed(std::string message) {
    return fail(invalid_request("invalid_multipart", std::move(message)));
}

bool is_control(char c) noexcept {
    const auto octet = static_cast<unsigned char>(c);
    return (octet < 0x20 && c != '\t') || octet == 0x7F;
}

// RFC 2046 §5.1.1.
bool is_boundary_char(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("'()+_,-./:=? ").find(c) != std::string_view::npos;
}

// Value in quotes; `rest` starts at the opening one. Nothing if it does not end.
std::optional<std::string> take_quoted(std::string_view& rest, bool& escaped) {
    std::string out;
    for (std::size_t at = 1; at < rest.size(); ++at) {
        if (rest[at] == '"') {
            rest.remove_prefix(at + 1);
            return out;
        }
        if (rest[at] == '\\' && at + 1 < rest.size()) {
            escaped = true;
            ++at;
        }
        out += rest[at];
    }
    return std::nullopt;
}

Result<void> read_disposition(std::string_view value, PartHead& head) {
    const std::size_t semicolon = value.find(';');
    if (!iequals(trim(value.substr(0, semicolon)), "form-data"))
        return malformed("A part of the multipart body is not form-data.");
    std::string_view rest = semicolon == std::string_view::npos ? std::string_view{} : value.substr(semicolon);
    bool bad = false;
    bool named = false;
    while (auto parameter = take_parameter(rest, bad)) {
        if (iequals(parameter->name, "name*")) bad = true;
        if (iequals(parameter->name, "filename") || iequals(parameter->name, "filename*")) head.has_filename = true;
        if (!iequals(parameter->name, "name")) continue;
        // Parsers disagree on whether a backslash is part of the name.
        if (std::exchange(named, true) || parameter->escaped) bad = true;
        head.name = std::move(parameter->value);
    }
    if (bad || !named) return malformed("A part of the multipart body has no clean field name.");
    return {};
}

Result<void> read_line(std::string_view line, PartHead& head, bool& disposed) {
    const std::size_t colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos || line.substr(0, colon).find_first_of(" \t") != line.npos ||
        std::ranges::any_of(line, is_control))
        return malformed("A part of the multipart body has a malformed header.");
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trim(line.substr(colon + 1));
    if (iequals(name, "content-transfer-encoding"))
        head.encoded = !iequals(value, "7bit") && !iequals(value, "8bit") && !iequals(value, "binary");
    if (!iequals(name, "content-disposition")) return {};
    if (std::exchange(disposed, true)) return malformed("A part of the multipart body has two Content-Dispositions.");
    return read_disposition(value, head);
}

} // namespace

std::optional<Parameter> take_parameter(std::string_view& rest, bool& bad) {
    rest = trim(rest);
    if (rest.empty() || rest == ";") return std::nullopt;
    const std::size_t equals = rest.find('=');
    if (rest.front() != ';' || equals == std::string_view::npos) {
        bad = true;
        return std::nullopt;
    }
    Parameter out;
    out.name = trim(rest.substr(1, equals - 1));
    rest.remove_prefix(equals + 1);
    if (out.name.empty() || out.name.find_first_of("; \t\"\\") != std::string_view::npos) {
        bad = true;
        return std::nullopt;
    }
    if (rest.starts_with('"')) {
        auto value = take_quoted(rest, out.escaped);
        bad |= !value;
        if (!value) return std::nullopt;
        out.value = std::move(*value);
        return out;
    }
    const std::size_t end = std::min(rest.find(';'), rest.size());
    out.value = trim(rest.substr(0, end));
    rest.remove_prefix(end);
    if (out.value.find_first_of(" \t\"\\") != std::string::npos) bad = true;
    return bad ? std::nullopt : std::optional(std::move(out));
}

Result<PartHead> parse_part_head(std::string_view lines) {
    PartHead head;
    bool disposed = false;
    while (!lines.empty()) {
        const std::size_t end = lines.find("\r\n");
        if (end == std::string_view::npos) return malformed("A part of the multipart body has a malformed header.");
        if (auto read = read_line(lines.substr(0, end), head, disposed); !read) return fail(std::move(read.error()));
        lines.remove_prefix(end + 2);
    }
    if (!disposed) return malformed("A part of the multipart body has no Content-Disposition.");
    return head;
}

std::optional<std::string> multipart_boundary(std::string_view content_type) {
    const std::size_t semicolon = content_type.find(';');
    if (semicolon == std::string_view::npos || !iequals(trim(content_type.substr(0, semicolon)), "multipart/form-data"))
        return std::nullopt;
    std::string_view rest = content_type.substr(semicolon);
    std::optional<std::string> boundary;
    bool bad = false;
    while (auto parameter = take_parameter(rest, bad)) {
        if (!iequals(parameter->name, "boundary")) continue;
        if (boundary) return std::nullopt;
        boundary = std::move(parameter->value);
    }
    if (bad || !boundary || boundary->empty() || boundary->size() > kMaxBoundary || boundary->ends_with(' ') ||
        !std::ranges::all_of(*boundary, is_boundary_char))
        return std::nullopt;
    return boundary;
}

} // namespace tollgate::api
