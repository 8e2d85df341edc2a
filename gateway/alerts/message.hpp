// An alert as a webhook gets it: one POST, its body and its signature. Pure.
#pragma once

#include "gateway/base/secret.hpp"
#include "gateway/base/time.hpp"
#include "policy/alerts/book.hpp"

#include <string>
#include <string_view>

namespace tollgate::alerts {

// One JSON object. The same octets at every attempt.
[[nodiscard]] std::string body_of(const policy::alerts::Alert& alert);

// "t=1764543210,v1=<hexadecimal HMAC-SHA256 over `1764543210.` and the body>": the time of the attempt is signed with
// it, so that a receiver can refuse what was recorded and sent again.
[[nodiscard]] std::string signature_of(std::string_view body, const Secret& secret, WallTime now);

// The head of the request, its end included. `host_line`: "Host: …\r\n"; `target`: path and query; an empty secret
// signs nothing.
[[nodiscard]] std::string head_of(std::string_view target, std::string_view host_line, std::string_view body,
                                  const Secret& secret, WallTime now);

} // namespace tollgate::alerts
