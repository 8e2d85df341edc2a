// Limits, budgets and prices out of the checked tree.
#pragma once

#include "config/value.hpp"

namespace tollgate::config {

// `section` is what holds `limits`, `budget`, `per_model` or `price`. Total: what is absent or invalid is left out.
[[nodiscard]] Limits bind_limits(const Value& section);
[[nodiscard]] std::vector<Budget> bind_budgets(const Value& section);
[[nodiscard]] ModelShares bind_shares(const Value& section);
[[nodiscard]] std::vector<PriceCard> bind_price_cards(const Value& section);

} // namespace tollgate::config
