// A request that shares another one's upstream call: waits for its answer and sends it on as it comes (design §10).
#pragma once

#include "cache/flight.hpp"
#include "gateway/exchange/exchange.hpp"

namespace tollgate::exchange {

enum class Followed : std::uint8_t {
    done,     // the client has its answer, or `result` is its error
    elect,    // there was no answer: another leader is wanted
    go_alone, // nothing of this flight fits: another form, or its log has lost the beginning
};

struct FollowResult {
    Followed what = Followed::done;
    Result<void> result;
    unsigned election = 0; // with `elect`
};

// `flight` has counted this request, and keeps counting it: the caller leaves. Sets the exchange's answer state as an
// own call would.
Task<FollowResult> follow(Exchange& ex, cache::FlightPtr flight);

} // namespace tollgate::exchange
