// JSON numbers by value (RFC 8785 §3.2.2.3), except where a double would make two different numbers equal.
#pragma once

#include <string>
#include <string_view>

namespace tollgate::cache {

// Appends the canonical form of a JSON number token; white space after it is ignored. 1, 1.0 and 1e0 become 1, and -0
// becomes 0. Numbers of magnitude 2^53 and above, and numbers outside the range of a double, stay as they were written:
// two big seeds must differ. False, and nothing appended, if the token is not a number of RFC 8259 §6.
[[nodiscard]] bool append_canonical_number(std::string& out, std::string_view token);

} // namespace tollgate::cache
