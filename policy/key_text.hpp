// What a key looks like, judged without knowing any key: character set, checksum, public id, provider look-alikes.
#pragma once

#include "gateway/base/error.hpp"

#include <cstddef>
#include <string_view>

namespace tollgate::policy {

inline constexpr std::size_t kMaxKeyLength = 256; // octets; longer text is refused unread (R1)

// 1 to 256 visible ASCII characters, the only text that is ever hashed.
[[nodiscard]] bool hashable_key(std::string_view text) noexcept;
// "tg_<8 public id>" if the text starts like a generated key, else empty. The only part of a key that may be shown.
[[nodiscard]] std::string_view shown_part(std::string_view text) noexcept;

// The 401 answers. None shows more of the presented text than shown_part().
[[nodiscard]] Error no_key_error();
[[nodiscard]] Error unreadable_key_error();
[[nodiscard]] Error mistyped_key_error(std::string_view presented);
// One text for unknown, disabled and expired keys (R1).
[[nodiscard]] Error invalid_key_error(std::string_view presented);

} // namespace tollgate::policy
