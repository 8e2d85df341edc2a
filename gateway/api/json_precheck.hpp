// First look at a JSON body: counts structural characters before a parser allocates anything for them. Pure.
#pragma once

#include "gateway/api/request_view.hpp"

namespace tollgate::api {

inline constexpr std::size_t kMaxJsonDepth = 64;
inline constexpr std::size_t kMaxObjectKeys = 1024;
inline constexpr std::size_t kMaxKeyOctets = 256;
inline constexpr std::size_t kMaxNumberOctets = 64;

// 400 of the request rules, with a message for people. `code` and `param` as in Error.
[[nodiscard]] Error invalid_request(std::string_view code, std::string message, std::string_view param = {});

// Passes a body whose brackets match, whose root is one object followed by nothing but white space, and which keeps
// the caps on depth, values, keys per object, number length and exponent (−999 to 308); every \u escape is half of no
// lone surrogate (reliability §3 rows 1-9, 16, 28, 37, 38, 45, 53-55). Grammar inside these bounds is left to the
// parser. Linear.
[[nodiscard]] Result<void> precheck_json(std::string_view body, std::size_t max_values);

// Token of the value of the root's `member`-th member (from 0) in a body that a parser has accepted; a string value
// only, else an empty span.
[[nodiscard]] Span locate_string_member(std::string_view body, std::size_t member) noexcept;
// The same for a member whose value is null.
[[nodiscard]] Span locate_null_member(std::string_view body, std::size_t member) noexcept;

} // namespace tollgate::api
