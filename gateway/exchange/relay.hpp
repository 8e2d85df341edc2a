// A provider's good answer on its way to the client: octets as they come, whole when something must be known first.
#pragma once

#include "gateway/base/error.hpp"
#include "gateway/exchange/exchange.hpp"
#include "gateway/upstream/attempt.hpp"

namespace tollgate::exchange {

// `candidate` is null for routes without a model. On error nothing was sent if !ex.answer_started; otherwise the client
// saw the stream end with an error event, or break off, and the error is for the record.
Task<Result<void>> relay(Exchange& ex, upstream::Attempt& attempt, const upstream::Provider& provider,
                         const upstream::Candidate* candidate, TimePoint total_deadline);

// Reads a whole body, at most `cap` octets; error if it breaks off or is larger.
Task<Result<std::string>> collect(Exchange& ex, upstream::Attempt& attempt, std::uint64_t cap,
                                  TimePoint total_deadline);

// The provider's media type if it is of the closed set we pass on, else empty (case 306). No parameter passes but the
// charset of a text in UTF-8. Refers to static storage or to `content_type`.
[[nodiscard]] std::string_view passable_type(std::string_view content_type) noexcept;

} // namespace tollgate::exchange
