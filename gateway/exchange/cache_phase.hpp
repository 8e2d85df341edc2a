// The response cache as a phase: may this request be looked up, is there an answer, may the new answer be kept.
#pragma once

#include "gateway/base/error.hpp"
#include "gateway/exchange/exchange.hpp"

#include <string>
#include <string_view>

namespace tollgate::exchange {

// Decides eligibility, makes the key, asks memory, then Redis. An entry to serve, or none; the plan is in ex.cache.
// Error: 504 if the client said only-if-cached and nothing fits.
Task<Result<cache::EntryPtr>> look_up(Exchange& ex);

// What was purged before this process came has to be known before Redis is believed; false: it is not yet.
Task<bool> knows_purges(Exchange& ex);

// What memory has got meanwhile, if it fits; ex.record then says that it is a hit.
[[nodiscard]] cache::EntryPtr look_again(Exchange& ex);

// What Redis has got meanwhile, likewise.
[[nodiscard]] Task<cache::EntryPtr> look_again_in_redis(Exchange& ex);

// 422: the client used the name of this question for another one.
[[nodiscard]] Error idempotency_key_reused();

// Answers with an entry that look_up gave: Cache-Status, Age, the completion as JSON or as events.
Task<void> send_hit(Exchange& ex, cache::EntryPtr entry);

// Answers with a stale entry in place of an error that is the providers' (RFC 5861 §4); false, and nothing was sent, if
// there is none or it is not allowed to.
Task<bool> answer_for_error(Exchange& ex, Error error);

// Notes what a complete answer used; keeps it if it is fit to be kept and says so in ex.cache_status. `body` is
// copied.
void store_answer(Exchange& ex, std::string_view content_type, std::string_view body);

// Keeps the completion that a stream was, under the same conditions. What it used was noted as it passed.
void store_stream(Exchange& ex, std::string completion);

} // namespace tollgate::exchange
