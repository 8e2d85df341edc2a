// What a refused client is told: whose limit, the numbers, when it ends, whom to ask (observability §5.1).
#pragma once

#include "gateway/base/error.hpp"
#include "policy/quota/counter_store.hpp"

#include <string>
#include <string_view>

namespace tollgate::policy::quota {

// 429: rate_limit_exceeded for rates and concurrency, with Retry-After unless the request can never fit;
// insufficient_quota for budgets, never to be retried. `contact`: used if the scope has none of its own.
[[nodiscard]] Error denial_error(const Denial& denial, std::string_view contact, WallTime wall);

// "0.41", "2000.00": at least two decimals, no more than it takes, exact.
void append_usd(std::string& out, Nano nano);
// The same for people, with thousands separated: "$2,000.03".
void append_dollars(std::string& out, Nano nano);

} // namespace tollgate::policy::quota
