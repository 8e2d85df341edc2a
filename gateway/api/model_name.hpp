// What a model name from a client may look like, wherever it was found (reliability §3 rows 46, 50). Pure.
#pragma once

#include "gateway/base/error.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace tollgate::api {

inline constexpr std::size_t kMaxModelOctets = 128;

// [A-Za-z0-9._:/@-]{1,128} without dot segments: a model becomes a URL path, a metric label and a log field.
[[nodiscard]] bool is_clean_model(std::string_view name) noexcept;
// Why a name is refused; nothing if it is clean. A name with other than ASCII characters is an unknown model (404,
// row 51), everything else is malformed (400). The name itself is not repeated.
[[nodiscard]] std::optional<Error> judge_model(std::string_view name);
// Members that steer other gateways to an address or a credential (row 60), in any letter case.
[[nodiscard]] bool is_forbidden_member(std::string_view name) noexcept;
// ASCII letters without case, plus U+017F and U+212A, which decoders with Unicode case folding take for 's' and 'k'.
[[nodiscard]] bool folds_to(std::string_view name, std::string_view lower) noexcept;

} // namespace tollgate::api
