// What a request will use at most, and probably, before it is sent (limits-cache §1.2, design §9). Pure.
#pragma once

#include "gateway/api/request_view.hpp"
#include "gateway/api/route.hpp"

#include <cstdint>
#include <optional>

namespace tollgate::api {

// Why the octets of a body say nothing about the tokens it becomes.
enum class Unbounded : std::uint8_t {
    none = 0,
    remote_content = 1U << 0U, // file ids, URLs, sound by its id: it is elsewhere
    inline_media = 1U << 1U,   // images cost by their size in pixels, files are compressed
    stored_context = 1U << 2U, // previous_response_id, conversation, stored prompts
    hosted_tools = 1U << 3U,   // they bring text, run the model again and have prices of their own
    output = 1U << 4U,         // neither the request nor the model's configuration names a limit
};
[[nodiscard]] constexpr Unbounded operator|(Unbounded a, Unbounded b) noexcept {
    return static_cast<Unbounded>(static_cast<std::uint8_t>(a) | static_cast<std::uint8_t>(b));
}
[[nodiscard]] constexpr bool has(Unbounded set, Unbounded one) noexcept {
    return (static_cast<std::uint8_t>(set) & static_cast<std::uint8_t>(one)) != 0;
}

// Of the request.
struct RequestSize {
    Operation operation = Operation::chat;
    std::uint64_t body_octets = 0;
    std::optional<std::uint64_t> input_tokens{}; // counted by the model's tokenizer, overhead included
    std::optional<std::uint64_t> max_tokens{}, max_completion_tokens{}, max_output_tokens{};
    std::uint64_t n = 1;
    std::uint64_t best_of = 0;           // 0: not given
    std::uint64_t prompts = 1;           // completions: elements of a list of prompts
    Unbounded content = Unbounded::none; // of the input
};

// The part of it that the request's view holds today; the caller fills in the numbers.
[[nodiscard]] RequestSize request_size(const RequestView& request, Operation operation, std::uint64_t body_octets);

// Of the model, as configured.
struct ModelSize {
    std::optional<std::uint64_t> max_output{}; // tokens of one answer
    std::optional<std::uint64_t> context{};    // tokens of one prompt
};

struct Estimate {
    std::uint64_t input = 0;  // tokens
    std::uint64_t output = 0; // tokens of all answers together
    // Not none: the figures are no bound, and `input` is at least the model's context where that is known.
    Unbounded unbounded = Unbounded::none;
    bool output_given = false; // the request itself names a limit, so no other is put in

    friend bool operator==(const Estimate&, const Estimate&) = default;
};

// An upper bound, for strict budgets: the largest of the maxima that were given, for every answer that is generated
// (best_of bills all candidates); else the model's own. Input is what was counted, else one token for each octet.
[[nodiscard]] Estimate upper_estimate(const RequestSize& request, const ModelSize& model) noexcept;

// What was seen of a key and model so far.
struct Learned {
    std::optional<std::uint64_t> output{};                       // tokens of one answer, a high quantile
    std::optional<std::uint32_t> input_tokens_per_1000_octets{}; // of a body, a high quantile
};

// What is probable, for limits and balanced budgets. A maximum that was given is taken as it is; without one the output
// is what was learned (1,024 at first), no more than the model's and than leaves the request within `capacity`, which
// is all the tokens that the tightest limit can ever hold.
[[nodiscard]] Estimate balanced_estimate(const RequestSize& request, const ModelSize& model, const Learned& learned,
                                         std::optional<std::uint64_t> capacity) noexcept;

} // namespace tollgate::api
