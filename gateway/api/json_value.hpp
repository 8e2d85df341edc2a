// JSON text as a Boost.JSON value, for what is rewritten or read in depth. Pure.
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string_view>

namespace tollgate::api {

// Nothing for malformed text, more than 64 levels, or a number no double can hold: Boost.JSON 1.81 reads 1e999 and
// 0e999 as infinity and NaN and writes them back as words that are not JSON. `memory` outlives the value.
[[nodiscard]] std::optional<boost::json::value> parse_value(std::string_view text, boost::json::storage_ptr memory);

} // namespace tollgate::api
