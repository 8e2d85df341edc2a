#include "gateway/exchange/ask.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace tollgate::exchange {
namespace {

namespace quota = policy::quota;
using api::Charge;
using api::Unbounded;
using policy::PriceClass;

constexpr std::uint64_t kMostTokens = quota::kMaxTokens;
constexpr std::uint64_t kUsualOctetsPerAudioMs = 8; // 64 kbit/s
constexpr quota::Nano kMostNano = quota::kMaxNano;
constexpr quota::Wide kMostPico = quota::Wide{kMostNano} * 1'000;

std::int64_t tokens(std::uint64_t count) {
    return static_cast<std::int64_t>(std::min(count, kMostTokens));
}

Error refusal(int status, ErrorType type, std::string_view code, std::string_view param, std::string message) {
    return Error{.type = type,
                 .status = status,
                 .message = std::move(message),
                 .openai_type = "invalid_request_error",
                 .code = code,
                 .param = std::string(param),
                 .retry = Retry::never};
}

std::string named(const AskInput& in) {
    return in.model_name.empty() ? "this model" : fmt::format("the model `{}`", in.model_name);
}

// `why` completes "its cost has no upper bound: …"; `help` is a sentence.
Error unbounded(std::string_view param, std::string_view why, std::string_view help) {
    return refusal(400, ErrorType::policy_access_denied, "unbounded_cost", param,
                   fmt::format("A strict budget counts for this request, and its cost has no upper bound: {}. {} "
                               "Nothing was sent.",
                               why, help));
}

Error unpriced_field(const AskInput& in, std::string_view field) {
    return refusal(400, ErrorType::policy_access_denied, "unpriced_field", field,
                   fmt::format("A strict budget counts for this request, and `{}` changes its price in a way that the "
                               "price list of {} does not hold. Leave it out, or use a key without a strict budget. "
                               "Nothing was sent.",
                               field, named(in)));
}

Error unpriced_model(const AskInput& in) {
    return refusal(
        403, ErrorType::policy_model_blocked, "unpriced_model", "model",
        fmt::format("A strict budget counts for this request, and {} has no price in the gateway's "
                    "configuration. Ask its operator to declare one (models.*.price), or use a priced model.",
                    named(in)));
}

template <std::size_t N>
bool any_priced(const policy::PriceEntry& price, const std::array<PriceClass, N>& classes) {
    return std::ranges::any_of(classes, [&](PriceClass c) { return policy::dearest_rate(c, price) > 0; });
}

bool priced(const policy::PriceEntry& price, PriceClass c) {
    return policy::dearest_rate(c, price) > 0;
}

constexpr std::array kInputClasses{PriceClass::input, PriceClass::cached_input, PriceClass::cache_write,
                                   PriceClass::audio_in, PriceClass::image_in};
constexpr std::array kOutputClasses{PriceClass::output, PriceClass::reasoning, PriceClass::audio_out};
constexpr std::array kPieceClasses{PriceClass::image, PriceClass::audio_second, PriceClass::tool_call};

struct Sized {
    api::RequestSize size;
    api::Estimate upper;
    api::Estimate guess;
    bool open = false; // a limit of the output can be put in
};

Sized sized(const AskInput& in) {
    static const api::RequestView kNothingRead;
    Sized out;
    out.size =
        api::request_size(in.view != nullptr ? *in.view : kNothingRead, *in.route, in.body_octets, in.input_tokens);
    out.upper = api::upper_estimate(out.size, in.model);
    out.guess = api::balanced_estimate(out.size, in.model, in.learned, in.capacity);
    // A maximum that only some servers heed would win over ours there; reasoning may come on top of it. Legacy
    // completions have a default of their own, which a maximum of ours would raise.
    out.open = in.model.max_output && !api::limits_output(out.size) && !out.size.foreign_max &&
               out.size.extra_output == 0 && in.route->operation != api::Operation::text_completion &&
               in.route->body == api::BodyKind::json && !api::output_limit_field(*in.route).empty();
    // Where there is no bound, what is probable is the better figure than the little that is known.
    if (has(out.upper.unbounded, Unbounded::output)) out.upper.output = std::max(out.upper.output, out.guess.output);
    if (out.size.content != Unbounded::none) out.upper.input = std::max(out.upper.input, out.guess.input);
    return out;
}

std::uint64_t images_of(const api::RequestSize& size) {
    std::uint64_t out = 0;
    const bool over =
        size.partial_images == UINT64_MAX || __builtin_mul_overflow(size.n, size.partial_images + 1, &out);
    return over ? UINT64_MAX : out;
}

policy::ConsumptionBound consumption(const Sized& request) {
    return {.input = request.upper.input,
            .output = request.upper.output,
            .images = request.size.operation == api::Operation::image ? images_of(request.size) : 0,
            .audio_ms = has(request.size.content, Unbounded::form) && request.size.hears
                            ? request.size.media_octets / kUsualOctetsPerAudioMs
                            : 0,
            .tool_calls = request.size.hosted_calls.value_or(0),
            .hears = request.size.hears,
            .sees = request.size.sees,
            .speaks = request.size.speaks};
}

// What is not in the body: bounded by the model's context, if that is known or nothing of it costs anything.
std::optional<Error> judge_content(const AskInput& in, const Sized& request) {
    const Unbounded content = request.size.content;
    if (content == Unbounded::none || in.model.context || !any_priced(*in.price, kInputClasses)) return std::nullopt;
    const bool media = has(content, Unbounded::inline_media | Unbounded::remote_content);
    return unbounded({},
                     media ? "it refers to images, sound or files, whose tokens its octets do not tell"
                           : "it brings in text that is not in its body",
                     fmt::format("It would be bounded if the operator stated the context window of {}.", named(in)));
}

std::optional<Error> judge_tools(const AskInput& in, const Sized& request) {
    if (!has(request.size.content, Unbounded::hosted_tools)) return std::nullopt;
    if (!request.size.hosted_calls)
        return unbounded("tools", "tools that run at the provider may be called any number of times",
                         "Set `max_tool_calls` where the endpoint knows it, or leave the tools out.");
    if (*request.size.hosted_calls > 0 && !priced(*in.price, PriceClass::tool_call))
        return unbounded("tools",
                         fmt::format("tools run at the provider, and {} has no price for a call of them", named(in)),
                         "Leave the tools out, or ask the operator to declare the price (tool_call).");
    return std::nullopt;
}

std::optional<Error> judge_output(const AskInput& in, const Sized& request) {
    if (request.open || !has(request.upper.unbounded, Unbounded::output) || !any_priced(*in.price, kOutputClasses))
        return std::nullopt;
    const std::string_view field = api::output_limit_field(*in.route);
    return unbounded(field, fmt::format("no limit of its output is set, and none is configured for {}", named(in)),
                     field.empty() ? std::string("Ask the operator to configure one (models.*.max_output).")
                                   : fmt::format("Set `{}`, or ask the operator to configure one "
                                                 "(models.*.max_output).",
                                                 field));
}

// Nothing if the cost has a bound, or none is needed.
std::optional<Error> judge(const AskInput& in, const Sized& request) {
    if (Charge(in.route->charge) == Charge::jobs)
        return unbounded({}, "what it starts is billed later", "Use a key without a strict budget.");
    if (in.price == nullptr) {
        // Free everywhere we know of unless somebody says otherwise (moderation).
        if (!in.route->billable) return std::nullopt;
        return unpriced_model(in);
    }
    if (has(request.size.content, Unbounded::form)) {
        const bool by_request = !any_priced(*in.price, kInputClasses) && !any_priced(*in.price, kOutputClasses) &&
                                !any_priced(*in.price, kPieceClasses);
        if (by_request) return std::nullopt;
        return unbounded({}, "it is a form whose images or sound are not measured",
                         "Use a key without a strict budget, or a model that is priced by the request.");
    }
    if (in.view != nullptr && in.view->cost.background)
        return unbounded("background", "what is generated after the answer is not metered",
                         "Leave `background` out, or use a key without a strict budget.");
    if (in.view != nullptr && !in.view->cost.unpriced.empty()) return unpriced_field(in, in.view->cost.unpriced);
    if (in.view != nullptr && !in.view->cost.image_option.empty() && priced(*in.price, PriceClass::image))
        return unpriced_field(in, in.view->cost.image_option);
    if (auto error = judge_content(in, request)) return error;
    if (auto error = judge_tools(in, request)) return error;
    return judge_output(in, request);
}

quota::Estimate expected_of(const AskInput& in, const Sized& request, const quota::Estimate& upper) {
    quota::Estimate out{.input = std::min(tokens(request.guess.input), upper.input),
                        .output = std::min(tokens(request.guess.output), upper.output)};
    if (in.price == nullptr) return out;
    policy::ConsumptionBound bound = consumption(request);
    bound.input = static_cast<std::uint64_t>(out.input);
    bound.output = static_cast<std::uint64_t>(out.output);
    out.nano = std::min(policy::upper_bound(bound, *in.price), upper.nano);
    return out;
}

quota::OpenOutput open_output_of(const AskInput& in, const Sized& request) {
    quota::OpenOutput out{.choices = tokens(api::answers(request.size))};
    if (in.price == nullptr) return out;
    const policy::OpenBound line = policy::open_bound(consumption(request), *in.price);
    out.fixed_pico = std::min<quota::Wide>(line.fixed, kMostPico);
    out.output_pico = line.each;
    return out;
}

} // namespace

Result<quota::Ask> ask_for(const AskInput& in) {
    const Charge charge = in.route->charge;
    if (charge == Charge::free || (charge == Charge::jobs && !in.strict_money)) return quota::Ask{};
    const Sized request = sized(in);
    if (in.strict_money) {
        if (auto refused = judge(in, request)) return fail(std::move(*refused));
    }
    quota::Ask ask;
    ask.upper = {.input = tokens(request.upper.input), .output = tokens(request.upper.output)};
    if (in.price != nullptr) ask.upper.nano = std::min(policy::upper_bound(consumption(request), *in.price), kMostNano);
    ask.expected = expected_of(in, request, ask.upper);
    if (request.open) ask.open_output = open_output_of(in, request);
    ask.guessed_output = !api::limits_output(request.size);
    ask.unbounded_output = has(request.upper.unbounded, Unbounded::output);
    // What was cut to fit is no bound any more; an open output will be cut by the budget itself.
    const bool cut = ask.open_output ? ask.open_output->fixed_pico == kMostPico : ask.upper.nano == kMostNano;
    if (in.strict_money && cut)
        return fail(unbounded({}, "it could come to a million USD", "Set smaller limits of its output and tools."));
    return ask;
}

} // namespace tollgate::exchange
