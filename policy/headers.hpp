// Rate-limit header lines and the duration grammar OpenAI's clients parse (api-surface §3.1, §3.4).
#pragma once

#include "policy/limiter.hpp"

#include <string>

namespace tollgate::policy {

// Go's duration text, rounded up to whole milliseconds: "0s", "6ms", "1s", "17.5s", "6m0s", "1h2m3s". Negative is zero.
void append_go_duration(std::string& out, Duration duration);

// Five lines, each ending in CRLF: x-ratelimit-{limit,remaining,reset}-requests, ratelimit-policy, ratelimit.
// `reset`: what x-ratelimit-reset-requests says, normally view.reset. `t` of the last line is view.next in whole
// seconds, rounded up. Nothing is allocated beyond `out`'s growth.
void append_limit_headers(std::string& out, const LimitView& view, Duration reset);

} // namespace tollgate::policy
