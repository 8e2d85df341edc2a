// What a request asks of its limits and budgets before it is sent: sizes × prices, or why nobody can tell (design §9,
// limits-cache §1.2, reliability R34). Pure.
#pragma once

#include "gateway/api/estimate.hpp"
#include "gateway/base/error.hpp"
#include "policy/price/price.hpp"
#include "policy/quota/decision.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace tollgate::exchange {

struct AskInput {
    const api::RequestView* view = nullptr; // of a JSON body, as it will be sent; null: the body is none
    const api::Route* route = nullptr;      // required
    std::uint64_t body_octets = 0;
    api::ModelSize model{};
    const policy::PriceEntry* price = nullptr; // in force now; null: the model is unpriced
    bool strict_money = false;                 // a budget that may not be overspent counts for this request
    // Beyond that, what is known: all of it may be left out.
    std::string_view model_name{};               // for messages
    std::optional<std::uint64_t> input_tokens{}; // counted by the model's tokenizer
    api::Learned learned{};
    std::optional<std::uint64_t> capacity{}; // tokens the tightest limit can ever hold
};

// `upper` is a bound that the settled cost, at the same price, cannot exceed whenever `strict_money` is said; elsewhere
// it is the best figure there is. Both estimates are plausible() (what is more is cut to that, which strict_money
// refuses for money). `open_output`: the client named no limit, the model has one, and a smaller one can be put in
// (api::output_limit_field) where less is left.
//
// Errors, none of them worth a retry: 400 policy_access_denied with the code `unbounded_cost` or `unpriced_field`,
// 403 policy_model_blocked with `unpriced_model`; all of them only under strict_money.
[[nodiscard]] Result<policy::quota::Ask> ask_for(const AskInput& in);

} // namespace tollgate::exchange
