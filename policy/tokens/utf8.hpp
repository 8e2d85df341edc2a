// UTF-8 as the split rules need it: well-formed.
#pragma once

#include <string>
#include <string_view>

namespace tollgate::tokens {

[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

// A copy in which U+FFFD stands for every ill-formed sequence (Unicode §3.9: each maximal subpart) and for every lone
// surrogate, which is all that JSON can still bring.
[[nodiscard]] std::string repaired_utf8(std::string_view text);

} // namespace tollgate::tokens
