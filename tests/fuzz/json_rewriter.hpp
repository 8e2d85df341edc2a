// Writes a JSON text another way without changing what it says, for the canonical key: by hand, because a parser would
// lose how numbers are spelled.
#pragma once

#include <string>
#include <string_view>

namespace tollgate::fuzz {

// `text` is valid JSON. Members in reverse order except below the members that keep theirs (cache/key.hpp), white
// space around everything, ASCII letters of strings as \u escapes, small integers as decimals.
[[nodiscard]] std::string written_differently(std::string_view text);

} // namespace tollgate::fuzz
