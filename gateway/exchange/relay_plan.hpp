// Private to the relay: what its ways of relaying share.
#pragma once

#include "gateway/api/json_balance.hpp"
#include "gateway/base/error.hpp"
#include "gateway/exchange/exchange.hpp"
#include "gateway/upstream/attempt.hpp"

#include <string>
#include <string_view>

namespace tollgate::exchange {

struct Plan {
    Exchange& ex;
    upstream::Attempt& attempt;
    const upstream::Provider& provider;
    std::string_view type;
    std::string extra;
    TimePoint total_deadline;
    api::JsonBalance balance{};

    // False if the connection ended where JSON that it delimits did not.
    bool follow(std::string_view piece);
};

[[nodiscard]] Error bad_answer(std::string_view provider, std::string_view what);
[[nodiscard]] Error client_left();
// With the client still there, only the end of the process aborts an attempt.
[[nodiscard]] Error broke_off(const Exchange& ex, const upstream::Attempt& attempt);

void arm_idle(Exchange& ex, upstream::Attempt& attempt, TimePoint total_deadline);

// An event stream, as it comes or converted; ends the usage on every path.
Task<Result<void>> relay_stream(Plan& plan, const upstream::Candidate* candidate);

} // namespace tollgate::exchange
