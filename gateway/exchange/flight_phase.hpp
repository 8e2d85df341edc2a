// One question, one call: a request that the cache could not answer leads an upstream call that others share, follows
// one that is under way, or goes by itself (design §10, limits-cache §3.7).
#pragma once

#include "gateway/base/error.hpp"
#include "gateway/exchange/exchange.hpp"

namespace tollgate::exchange {

// Admits and answers a request that nothing is known about yet. Who follows is admitted for one request only; who leads
// for everything. Errors as of forward().
Task<Result<void>> ask_upstream(Exchange& ex);

} // namespace tollgate::exchange
