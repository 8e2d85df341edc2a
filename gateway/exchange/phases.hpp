// The synchronous phases: plain functions over the exchange, no waiting, in the order the pipeline calls them.
#pragma once

#include "gateway/base/error.hpp"
#include "gateway/exchange/exchange.hpp"

namespace tollgate::exchange {

// Path and method → row of the route table; 404 or 405 otherwise.
[[nodiscard]] Result<void> route(Exchange& ex);
// Credential → principal, without any I/O (R1).
[[nodiscard]] Result<void> authenticate(Exchange& ex);
// Stateful groups are off unless the key lists them; somebody must serve them.
[[nodiscard]] Result<void> check_grant(Exchange& ex);
// A denial that is known already is said before the body is read.
[[nodiscard]] Result<void> peek(Exchange& ex);
// The body's meaning: model, stream, parameters.
[[nodiscard]] Result<void> inspect(Exchange& ex);
// Which model it is and whether this caller may use it.
[[nodiscard]] Result<void> authorize(Exchange& ex);
// One request is taken from every limit, or from none.
[[nodiscard]] Result<void> admit(Exchange& ex);

} // namespace tollgate::exchange
