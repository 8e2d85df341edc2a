// The octet rules of RFC 9110/9112 that the gate is made of. Pure, table driven.
#pragma once

#include <string_view>

namespace tollgate::http {

[[nodiscard]] bool is_token(std::string_view text) noexcept;       // RFC 9110 §5.6.2, at least one octet
[[nodiscard]] bool is_field_value(std::string_view text) noexcept; // RFC 9110 §5.5: VCHAR, SP, HTAB, obs-text
// Host field value: host[:port] with a reg-name, IPv4 or [IPv6] (RFC 9112 §3.2); port empty or 0–65535.
[[nodiscard]] bool is_host(std::string_view text) noexcept;
// Path and query of an origin-form target: URI octets, valid %HH, no %00, no encoded CR/LF/backslash, no overlong
// UTF-8, no dot segment raw or encoded, no fragment (cases 129–137, 203–206).
[[nodiscard]] bool is_safe_target(std::string_view target) noexcept;
// Comma-separated list contains the token, case-insensitively.
[[nodiscard]] bool list_has(std::string_view list, std::string_view token) noexcept;
// Every element of the list is a token (Connection: RFC 9110 §7.6.1).
[[nodiscard]] bool is_token_list(std::string_view list) noexcept;

} // namespace tollgate::http
