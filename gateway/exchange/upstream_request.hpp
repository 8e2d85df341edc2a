// The request to the provider, built from nothing: no field of the client's is copied, a few are re-made (reliability
// §5.6). Pure apart from reading the exchange.
#pragma once

#include "gateway/base/error.hpp"
#include "gateway/exchange/exchange.hpp"
#include "gateway/upstream/attempt.hpp"

#include <string>

namespace tollgate::exchange {

// Head and payload for one candidate. The payload references `rewritten` and the exchange's body: keep both.
struct UpstreamRequest {
    std::string head; // holds the provider's key: never log it
    std::string rewritten;
    upstream::Payload payload;
};

// `candidate` is null for routes without a model. `api_key` selects one of the provider's keys.
[[nodiscard]] Result<void> build_upstream_request(const Exchange& ex, const upstream::Provider& provider,
                                                  const upstream::Candidate* candidate, std::size_t api_key,
                                                  UpstreamRequest& out);

// Whether the gateway asks for a stream's usage although the client did not: then the chunk that tells it is not passed
// on (api-surface §4.2).
[[nodiscard]] bool asks_for_usage(const Exchange& ex, const upstream::Provider& provider) noexcept;

// Whether a provider repeats one of the keys it was called with: such a field goes nowhere (R27, R31). Keys of fewer
// than eight octets are none ("none" stands for a provider that wants no key).
[[nodiscard]] bool repeats_credential(const upstream::Provider& provider, std::string_view value) noexcept;

} // namespace tollgate::exchange
