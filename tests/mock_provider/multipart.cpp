#include "tests/mock_provider/multipart.hpp"

#include <string>

namespace tollgate::mock {
namespace {

/// Value of `name="…"` or `name=…` in a header value. The leading delimiter keeps "filename" from matching "name".
std::string_view parameter(std::string_view header, std::string_view name) {
    for (std::size_t at = header.find(name); at != std::string_view::npos; at = header.find(name, at + 1)) {
        const auto after = at + name.size();
        const bool starts = at > 0 && (header[at - 1] == ' ' || header[at - 1] == ';');
        if (!starts || after >= header.size() || header[after] != '=') continue;
        auto value = header.substr(after + 1);
        if (value.starts_with('"')) return value.substr(1, value.find('"', 1) - 1);
        return value.substr(0, value.find_first_of("; \r"));
    }
    return {};
}

} // namespace

std::vector<Part> parse_multipart(std::string_view content_type, std::string_view body) {
    const auto boundary = parameter(content_type, "boundary");
    if (!content_type.starts_with("multipart/form-data") || boundary.empty()) return {};
    const auto dashes = "--" + std::string{boundary};
    const auto delimiter = "\r\n" + dashes;
    if (!body.starts_with(dashes)) return {};
    body.remove_prefix(dashes.size());
    std::vector<Part> parts;
    while (!body.starts_with("--")) {
        const auto blank = body.find("\r\n\r\n");
        const auto end = body.find(delimiter);
        if (blank == std::string_view::npos || end == std::string_view::npos || end < blank + 2) return {};
        const auto head = body.substr(0, blank);
        const auto begin = blank + 4;
        const auto content = end < begin ? std::string_view{} : body.substr(begin, end - begin);
        parts.push_back({parameter(head, "name"), parameter(head, "filename"), content});
        body.remove_prefix(end + delimiter.size());
    }
    return parts;
}

std::string_view part_named(const std::vector<Part>& parts, std::string_view name) {
    for (const auto& part : parts) {
        if (part.name == name) return part.content;
    }
    return {};
}

} // namespace tollgate::mock
