// Requests the gateway answers itself: OPTIONS, the model lists.
#pragma once

#include "gateway/exchange/exchange.hpp"

namespace tollgate::exchange {

// True if the request was OPTIONS and is answered: a static answer, no key, no upstream (case 273).
Task<bool> answer_options(Exchange& ex);
// True if the route is answered here. Not counted against limits (design §3).
Task<bool> answer_locally(Exchange& ex);

} // namespace tollgate::exchange
