// The life of a request, top to bottom (design §3). Read pipeline.cpp first: it is the whole product on one screen.
#pragma once

#include "gateway/exchange/exchange.hpp"

namespace tollgate::exchange {

// Answers one request. Every way out settles and records. True if the connection may serve another request.
Task<bool> serve(Exchange& ex);

// Metrics and the access-log line of a request that has ended. Once per exchange; serve() does it itself.
void finish_record(Exchange& ex);

} // namespace tollgate::exchange
