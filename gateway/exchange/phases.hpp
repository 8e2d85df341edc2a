// The synchronous phases: plain functions over the exchange, no waiting, in the order the pipeline calls them.
#pragma once

#include "gateway/base/error.hpp"
#include "gateway/exchange/exchange.hpp"

namespace tollgate::exchange {

// Path and method → row of the route table; 404 or 405 otherwise.
[[nodiscard]] Result<void> route(Exchange& ex);
// Under the highest pressure nothing is done for a request but to say so.
[[nodiscard]] Result<void> shed(Exchange& ex);
// Credential → principal, without any I/O (R1).
[[nodiscard]] Result<void> authenticate(Exchange& ex);
// Stateful groups are off unless the key lists them; somebody must serve them.
[[nodiscard]] Result<void> check_grant(Exchange& ex);
// The body's meaning: model, stream, parameters.
[[nodiscard]] Result<void> inspect(Exchange& ex);
// Which model it is and whether this caller may use it.
[[nodiscard]] Result<void> authorize(Exchange& ex);
// What another parser than the admitting one cannot read is refused, not taken for harmless.
[[nodiscard]] Error unreadable_body();
// May this caller use ex.model_name? An allow-list that names a model covers its aliases. Asked again for every
// attempt.
[[nodiscard]] Result<void> may_use_model(const Exchange& ex);
// The same question about any name, for the model lists.
[[nodiscard]] bool is_usable(const Exchange& ex, std::string_view model);

} // namespace tollgate::exchange
