#pragma once

#include <string_view>
#include <vector>

namespace tollgate::mock {

struct Part {
    std::string_view name;
    std::string_view filename;
    std::string_view content;
};

/// The parts of a multipart/form-data body; empty if the body is not well-formed. Views point into `body`.
std::vector<Part> parse_multipart(std::string_view content_type, std::string_view body);

/// Content of the first part of that name, else empty.
std::string_view part_named(const std::vector<Part>& parts, std::string_view name);

} // namespace tollgate::mock
