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
    form = 1U << 5U,           // a multipart body, of which nothing is read but the model
};
[[nodiscard]] constexpr Unbounded operator|(Unbounded a, Unbounded b) noexcept {
    return static_cast<Unbounded>(static_cast<std::uint8_t>(a) | static_cast<std::uint8_t>(b));
}
[[nodiscard]] constexpr bool has(Unbounded set, Unbounded one) noexcept {
    return (static_cast<std::uint8_t>(set) & static_cast<std::uint8_t>(one)) != 0;
}

// Of the request. What bounds what:
// - chat: input by the body's octets, else by the model's context; output by max_completion_tokens or max_tokens (both
//   are honoured somewhere), each answer of n.
// - completions: input by the octets, exactly by the count where all of it is token numbers; output by max_tokens, for
//   each prompt and each candidate. `/edits` has no limit of its own: the model's.
// - responses: as chat, by max_output_tokens; hosted tools run the model again with a context each, at most
//   max_tool_calls times. `/responses/compact` has no limit of its own: the model's.
// - embeddings, moderation: no output; input as completions, media by one context for each input.
// - images from JSON: the prompt by the octets; n images and their partial ones, or each of them by the model's limit.
// - speech: the text by the octets; the sound by the model's limit.
// - forms (edits and variations of images, transcriptions): by nothing.
struct RequestSize {
    Operation operation = Operation::chat;
    std::uint64_t body_octets = 0;
    std::optional<std::uint64_t> input_tokens{}; // counted by the model's tokenizer, overhead included
    std::optional<std::uint64_t> max_tokens{}, max_completion_tokens{}, max_output_tokens{};
    std::uint64_t n = 1;
    std::uint64_t best_of = 0;                       // 0: not given
    std::uint64_t prompts = 1;                       // elements of a list of prompts or inputs
    Unbounded content = Unbounded::none;             // of the input
    std::optional<std::uint64_t> foreign_max{};      // see RequestCost
    std::uint64_t extra_output = 0;                  // tokens of each answer outside of its maximum
    std::uint64_t partial_images = 0;                // of each image
    std::optional<std::uint64_t> hosted_calls = 0;   // of tools; nothing: no bound
    std::uint64_t media_parts = 0, media_octets = 0; // of the input; the octets are among the body's
    bool sees = false, hears = false, speaks = false;
};

// Everything of it. `input_tokens`: where a tokenizer has counted the text of the body. The view's `unpriced` and
// `image_option` are about prices, not sizes: exchange/ask judges them.
[[nodiscard]] RequestSize request_size(const RequestView& request, const Route& route, std::uint64_t body_octets,
                                       std::optional<std::uint64_t> input_tokens = {});

// How many answers are generated: for every prompt n, or best_of where that is more.
[[nodiscard]] std::uint64_t answers(const RequestSize& request) noexcept;
// The client named a limit of its output that servers of this operation honour.
[[nodiscard]] bool limits_output(const RequestSize& request) noexcept;

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
// (best_of bills all candidates); else the model's own. A maximum that servers of the operation do not honour only
// adds. Input is what was counted, else one token for each octet. Figures saturate.
[[nodiscard]] Estimate upper_estimate(const RequestSize& request, const ModelSize& model) noexcept;

// What was seen of a key and model so far.
struct Learned {
    std::optional<std::uint64_t> output{};                       // tokens of one answer, a high quantile
    std::optional<std::uint32_t> input_tokens_per_1000_octets{}; // of a body, a high quantile
};

// What is probable, for limits and balanced budgets. A maximum that was given is taken as it is; without one the output
// is what was learned (1,024 at first), no more than the model's and than leaves the request within `capacity`, which
// is all the tokens that the tightest limit can ever hold. A part of media counts 1,000 tokens, whatever its octets.
[[nodiscard]] Estimate balanced_estimate(const RequestSize& request, const ModelSize& model, const Learned& learned,
                                         std::optional<std::uint64_t> capacity) noexcept;

} // namespace tollgate::api
