// The input of a request as its model's tokenizer counts it (design §9, api-surface §10).
#pragma once

#include <cstdint>
#include <optional>

namespace tollgate::exchange {

struct Exchange;

// A bound on what the provider will count, for a JSON body whose texts are all of the prompt. Nothing where it cannot
// be told: the model's encoding is not known or its rank file not there, its upstreams count differently, the body is
// larger than tokenizers.max_body, or it refers to what is not text. Costs about 1 ms for 32 KiB, on the worker: asked
// only where a limit needs the figure.
[[nodiscard]] std::optional<std::uint64_t> count_input(Exchange& ex);

} // namespace tollgate::exchange
