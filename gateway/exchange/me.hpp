// GET /v1/me: what the caller's key is and how far its limits are used.
#pragma once

#include "gateway/exchange/exchange.hpp"

#include <string>

namespace tollgate::exchange {

// JSON: the key, its team and org, and one member of `limits` for every limit that counts for all of its requests.
// Money is decimal text in USD, exact. Limits on single models are left out.
[[nodiscard]] std::string me_body(const Exchange& ex, policy::quota::Moment now);

} // namespace tollgate::exchange
