// One GET of a health page, for places without curl: a container image without a shell.
#pragma once

#include <chrono>
#include <expected>
#include <string>

namespace tollgate::process {

// `url`: http://HOST:PORT/PATH, HOST an address or a name, [..] around IPv6. True for status 200, false for another
// one; the error says what kept it from being asked. Blocks for `patience` at most in each of connecting and reading.
[[nodiscard]] std::expected<bool, std::string> is_healthy(const std::string& url, std::chrono::seconds patience);

} // namespace tollgate::process
