// What a request may use and what it used: limits and budgets around one exchange (design §9).
#pragma once

#include "gateway/base/error.hpp"
#include "gateway/exchange/exchange.hpp"

namespace tollgate::exchange {

// A denial that is known already is said before the body is read. Takes nothing.
[[nodiscard]] Result<void> peek(Exchange& ex);
// Takes from every limit, or from none: a hit one request, everything else all it may use. Afterwards the exchange
// holds a reservation.
[[nodiscard]] Result<void> admit(Exchange& ex, bool hit);

} // namespace tollgate::exchange
