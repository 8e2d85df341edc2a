#include "gateway/api/estimate.hpp"

#include <algorithm>

namespace tollgate::api {
namespace {

constexpr std::uint64_t kUsualOutput = 1'024;
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

std::optional<std::uint64_t> given_output(const RequestSize& request) noexcept {
    return std::max({request.max_tokens, request.max_completion_tokens, request.max_output_tokens});
}

std::uint64_t answers(const RequestSize& request) noexcept {
    return product(std::max<std::uint64_t>(request.prompts, 1),
                   std::max({request.n, request.best_of, std::uint64_t{1}}));
}

std::uint64_t learned_input(const RequestSize& request, const Learned& learned) noexcept {
    const std::uint64_t rate = learned.input_tokens_per_1000_octets.value_or(kUsualTokensPer1000BodyOctets);
    const std::uint64_t octets = request.body_octets;
    const std::uint64_t tokens = product(octets / 1'000, rate) + (octets % 1'000 * rate + 999) / 1'000;
    return std::min(tokens, octets);
}

} // namespace

RequestSize request_size(const RequestView& request, Operation operation, std::uint64_t body_octets) {
    RequestSize out;
    out.operation = operation;
    out.body_octets = body_octets;
    if (request.has_remote_content) out.content = out.content | Unbounded::remote_content;
    if (request.has_previous_response) out.content = out.content | Unbounded::stored_context;
    if (request.has_hosted_tools) out.content = out.content | Unbounded::hosted_tools;
    return out;
}

Estimate upper_estimate(const RequestSize& request, const ModelSize& model) noexcept {
    Estimate out;
    out.unbounded = request.content;
    out.input = request.input_tokens.value_or(request.body_octets);
    if (model.context && one_prompt(request.operation)) {
        // What is not in the body may fill the context, and no more.
        out.input = request.content == Unbounded::none ? std::min(out.input, *model.context)
                                                       : std::max(out.input, *model.context);
    } else if (model.context && request.content != Unbounded::none) {
        out.input = std::max(out.input, *model.context);
    }
    if (!has_output(request.operation)) return out;
    const std::optional<std::uint64_t> given = given_output(request);
    out.output_given = given.has_value();
    if (!given && !model.max_output) out.unbounded = out.unbounded | Unbounded::output;
    out.output = product(given.value_or(model.max_output.value_or(0)), answers(request));
    return out;
}

Estimate balanced_estimate(const RequestSize& request, const ModelSize& model, const Learned& learned,
                           std::optional<std::uint64_t> capacity) noexcept {
    Estimate out;
    out.unbounded = request.content;
    out.input = request.input_tokens.value_or(learned_input(request, learned));
    if (!has_output(request.operation)) return out;
    const std::optional<std::uint64_t> given = given_output(request);
    const std::uint64_t most = model.max_output.value_or(UINT64_MAX);
    out.output_given = given.has_value();
    out.output = product(std::min(given.value_or(learned.output.value_or(kUsualOutput)), most), answers(request));
    if (!given && capacity) out.output = std::min(out.output, *capacity - std::min(out.input, *capacity));
    return out;
}

} // namespace tollgate::api
