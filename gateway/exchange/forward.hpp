// From an admitted request to an answer: which upstream, when to try another, what a refusal of the provider becomes.
#pragma once

#include "gateway/base/error.hpp"
#include "gateway/exchange/exchange.hpp"

namespace tollgate::exchange {

// Sends the request upstream and relays the answer. An error means that nothing of an answer has left yet, unless
// ex.answer_started says otherwise (then it is only recorded).
Task<Result<void>> forward(Exchange& ex);

} // namespace tollgate::exchange
