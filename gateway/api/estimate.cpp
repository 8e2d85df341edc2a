#include "gateway/api/estimate.hpp"

#include <algorithm>

namespace tollgate::api {
namespace {

constexpr std::uint64_t kUsualOutput = 1'024;
constexpr std::uint64_t kUsualTokensOfMedia = 1'000;         // an image, a minute of speech
constexpr std::uint32_t kUsualTokensPer1000BodyOctets = 400; // of JSON, structure included

std::uint64_t product(std::uint64_t a, std::uint64_t b) noexcept {
    std::uint64_t out = 0;
    return __builtin_mul_overflow(a, b, &out) ? UINT64_MAX : out;
}

bool has_output(Operation operation) noexcept {
    return operation != Operation::embeddings && operation != Operation::moderation;
}

// One prompt fits the model's context or is refused by it; lists of prompts are several.
bool one_prompt(Operation operation) noexcept {
    return operation == Operation::chat || operation == Operation::responses;
}

std::uint64_t sum(std::uint64_t a, std::uint64_t b) noexcept {
    std::uint64_t out = 0;
    return __builtin_add_overflow(a, b, &out) ? UINT64_MAX : out;
}

// What servers of the operation honour.
std::optional<std::uint64_t> honoured_maximum(const RequestSize& request) noexcept {
    switch (request.operation) {
    case Operation::chat: return std::max(request.max_tokens, request.max_completion_tokens);
    case Operation::text_completion: return request.max_tokens;
    case Operation::responses: return request.max_output_tokens;
    default: return std::nullopt;
    }
}

// The largest of all, once one of them is sure to be honoured: another server may heed another one.
std::optional<std::uint64_t> given_output(const RequestSize& request) noexcept {
    const auto honoured = honoured_maximum(request);
    if (!honoured) return std::nullopt;
    return std::max(
        {honoured, request.max_tokens, request.max_completion_tokens, request.max_output_tokens, request.foreign_max});
}

std::uint64_t learned_input(const RequestSize& request, const Learned& learned) noexcept {
    const std::uint64_t rate = learned.input_tokens_per_1000_octets.value_or(kUsualTokensPer1000BodyOctets);
    const std::uint64_t octets = request.body_octets - std::min(request.media_octets, request.body_octets);
    const std::uint64_t tokens = product(octets / 1'000, rate) + (octets % 1'000 * rate + 999) / 1'000;
    return std::min(tokens, octets);
}

// A context for every prompt; hosted tools start the model again with what they found.
std::uint64_t full_contexts(const RequestSize& request, std::uint64_t context) noexcept {
    const std::uint64_t runs = sum(request.hosted_calls.value_or(0), 1);
    return product(product(context, runs),
                   one_prompt(request.operation) ? 1 : std::max<std::uint64_t>(request.prompts, 1));
}

Unbounded content_of(const RequestView& request) noexcept {
    Unbounded out = Unbounded::none;
    const bool media = request.cost.sees || request.cost.hears;
    if (request.has_remote_content) out = out | Unbounded::remote_content;
    if (request.cost.inline_media || (media && !request.has_remote_content)) out = out | Unbounded::inline_media;
    if (request.has_previous_response) out = out | Unbounded::stored_context;
    if (request.has_hosted_tools) out = out | Unbounded::hosted_tools;
    return out;
}

// One search belongs to an answer of a model that searches; other tools run as often as they like.
std::optional<std::uint64_t> hosted_calls(const RequestView& request) noexcept {
    if (!request.has_hosted_tools) return 0;
    if (request.cost.only_search) return request.cost.n;
    return request.cost.max_tool_calls;
}

// Nothing of a form is read but its model.
RequestSize form_size(Operation operation, std::uint64_t body_octets) noexcept {
    RequestSize out;
    out.operation = operation;
    out.body_octets = body_octets;
    out.content = Unbounded::form;
    out.media_parts = 1;
    out.media_octets = body_octets;
    out.sees = operation == Operation::image;
    out.hears = !out.sees;
    return out;
}

} // namespace

std::uint64_t answers(const RequestSize& request) noexcept {
    return product(std::max<std::uint64_t>(request.prompts, 1),
                   std::max({request.n, request.best_of, std::uint64_t{1}}));
}

bool limits_output(const RequestSize& request) noexcept {
    return honoured_maximum(request).has_value();
}

RequestSize request_size(const RequestView& request, const Route& route, std::uint64_t body_octets,
                         std::optional<std::uint64_t> input_tokens) {
    if (route.body == BodyKind::multipart) return form_size(route.operation, body_octets);
    const RequestCost& cost = request.cost;
    RequestSize out;
    out.operation = route.operation;
    out.body_octets = body_octets;
    out.input_tokens = cost.prompt_numbers ? cost.prompt_numbers : input_tokens;
    if (!output_limit_field(route).empty()) {
        out.max_tokens = cost.max_tokens;
        out.max_completion_tokens = cost.max_completion_tokens;
        out.max_output_tokens = cost.max_output_tokens;
        out.foreign_max = cost.foreign_max;
    }
    out.n = cost.n;
    out.best_of = cost.best_of;
    out.prompts = cost.prompts;
    out.content = content_of(request);
    out.extra_output = sum(cost.thinking, cost.prediction_octets);
    out.partial_images = cost.partial_images;
    out.hosted_calls = hosted_calls(request);
    out.media_parts = cost.media_parts;
    out.media_octets = cost.media_octets;
    // What is brought in from elsewhere may be of any kind.
    const bool foreign =
        has(out.content, Unbounded::remote_content | Unbounded::stored_context | Unbounded::hosted_tools);
    out.sees = cost.sees || foreign;
    out.hears = cost.hears || foreign;
    out.speaks = cost.speaks || route.operation == Operation::audio_speech;
    return out;
}

Estimate upper_estimate(const RequestSize& request, const ModelSize& model) noexcept {
    Estimate out;
    out.unbounded = request.content;
    out.input = request.input_tokens.value_or(request.body_octets);
    if (model.context && request.content != Unbounded::none) {
        // What is not in the body may fill the context, and no more. Nor can the octets of a picture, of one prompt.
        const std::uint64_t contexts = full_contexts(request, *model.context);
        out.input = one_prompt(request.operation) ? contexts : std::max(out.input, contexts);
    } else if (model.context && one_prompt(request.operation)) {
        out.input = std::min(out.input, *model.context);
    }
    if (!has_output(request.operation)) return out;
    const std::optional<std::uint64_t> given = given_output(request);
    out.output_given = given.has_value();
    if (!given && !model.max_output) out.unbounded = out.unbounded | Unbounded::output;
    const std::uint64_t most = given.value_or(std::max(model.max_output, request.foreign_max).value_or(0));
    out.output = product(product(sum(most, request.extra_output), answers(request)), sum(request.partial_images, 1));
    return out;
}

Estimate balanced_estimate(const RequestSize& request, const ModelSize& model, const Learned& learned,
                           std::optional<std::uint64_t> capacity) noexcept {
    Estimate out;
    out.unbounded = request.content;
    out.input = sum(request.input_tokens.value_or(learned_input(request, learned)),
                    product(request.media_parts, kUsualTokensOfMedia));
    if (model.context && one_prompt(request.operation)) out.input = std::min(out.input, *model.context);
    if (!has_output(request.operation)) return out;
    const std::optional<std::uint64_t> given = given_output(request);
    const std::uint64_t most = model.max_output.value_or(UINT64_MAX);
    out.output_given = given.has_value();
    out.output = product(std::min(given.value_or(learned.output.value_or(kUsualOutput)), most), answers(request));
    if (!given && capacity) out.output = std::min(out.output, *capacity - std::min(out.input, *capacity));
    return out;
}

} // namespace tollgate::api
