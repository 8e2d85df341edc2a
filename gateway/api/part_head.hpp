// Head of one part of a multipart/form-data body (RFC 7578 §4), read strictly. Pure.
#pragma once

#include "gateway/base/error.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace tollgate::api {

struct PartHead {
    std::string name;          // form field
    bool has_filename = false; // a file, not a plain field
    bool encoded = false;      // a Content-Transfer-Encoding that changes the octets
};

// `lines` holds the header lines, each with its CRLF. Refused with 400: folded lines, bare CR or LF, control octets,
// anything but one Content-Disposition of type form-data with exactly one name and no name*.
[[nodiscard]] Result<PartHead> parse_part_head(std::string_view lines);

struct Parameter {
    std::string_view name;
    std::string value;    // unquoted
    bool escaped = false; // held backslash escapes
};
// Takes `; name=value` off the front of `rest`; quoted values may hold backslash escapes. Nothing at the end of the
// text; `bad` is set if what follows is no parameter.
[[nodiscard]] std::optional<Parameter> take_parameter(std::string_view& rest, bool& bad);

} // namespace tollgate::api
