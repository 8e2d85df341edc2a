// Rate-limit header lines, and the duration grammar OpenAI's clients parse (api-surface §3.1, §3.2, §3.4).
#pragma once

#include "policy/quota/counter_store.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <string>

namespace tollgate::policy {

// Go's duration text, rounded up to whole milliseconds: "0s", "6ms", "1s", "17.5s", "6m0s", "1h2m3s". Negative is zero.
void append_go_duration(std::string& out, Duration duration);

// What the client is told about its limits: of each kind the most constrained one; after a denial the one it names.
// Views point to names that live as long as the scopes.
struct ToldLimits {
    std::array<quota::LimitView, 3> views{}; // requests, tokens of any kind, money: those there are, in this order
    std::size_t count = 0;
    WallTime at{}; // when that was so
    [[nodiscard]] std::span<const quota::LimitView> view() const { return {views.data(), count}; }
};
[[nodiscard]] ToldLimits told_limits(const quota::AdmitReply& reply, WallTime wall);

// Lines that end in CRLF, none without limits: x-ratelimit-{limit,remaining,reset}-{requests,tokens} as OpenAI writes
// them, anthropic-ratelimit-{requests,tokens}-{limit,remaining,reset} as Anthropic does (the reset in RFC 3339), then
// ratelimit-policy and ratelimit (IETF draft) with one member for each view. `t` is the wait for one more, in whole
// seconds, rounded up; of a budget, its end. Its `q` and `r` are whole USD. Nothing is allocated beyond `out`'s growth.
void append_limit_headers(std::string& out, const ToldLimits& limits);

} // namespace tollgate::policy
