#include "gateway/exchange/metering.hpp"

#include "gateway/api/estimate.hpp"
#include "gateway/exchange/exchange.hpp"

namespace tollgate::exchange {
namespace {

// Octets of a form are mostly sound and pictures, which say nothing of tokens.
std::uint64_t counted_input(const Exchange& ex) {
    if (ex.metering.input_estimate != 0) return ex.metering.input_estimate;
    if (ex.route->body != api::BodyKind::json) return 0;
    const api::RequestSize size = api::request_size(ex.view, *ex.route, ex.body.size());
    return api::balanced_estimate(size, {}, {}, std::nullopt).input;
}

api::Usage nothing_used() {
    api::Usage out;
    out.input = out.output = 0;
    return out;
}

// No answer is that much longer than was asked for; a report of it would ruin its key for a month (scenario 21).
constexpr std::uint64_t kMostAboveReserve = 4;
constexpr std::uint64_t kLongestInput = 20'000'000; // tokens; twice the largest context there is
constexpr std::uint64_t kLongestOutput = 2'000'000;

void refuse_absurd(std::optional<std::uint64_t>& reported, std::int64_t reserved, std::uint64_t longest,
                   bool& refused) {
    const auto bound = static_cast<std::uint64_t>(std::max<std::int64_t>(reserved, 0)) * kMostAboveReserve;
    if (reported.value_or(0) <= std::max(bound, longest)) return;
    reported.reset();
    refused = true;
}

bool is_priced(const Exchange& ex, policy::PriceClass price_class) {
    return ex.account.price != nullptr && policy::dearest_rate(price_class, *ex.account.price) > 0;
}

// What was generated cannot be told from what came: it is generated later, it never came, it has no tokens and its
// length was not said.
bool is_unknown(const Exchange& ex) {
    const Metering& metering = ex.metering;
    if (metering.report.output || metering.report.audio_ms) return false;
    if (ex.view.cost.background) return true;
    if (ex.route->operation == api::Operation::audio_transcription && !metering.report.input)
        return is_priced(ex, policy::PriceClass::audio_second);
    const bool has_output = ex.account.reserve.output > 0;
    return ex.account.strict_money && has_output && !metering.complete && !ex.record.stream;
}

void settle_unknown(Metering& metering, const policy::quota::Estimate& reserve) {
    metering.unknown = true;
    if (reserve.input > 0) metering.settled.input = static_cast<std::uint64_t>(reserve.input);
    if (reserve.output > 0) metering.settled.output = static_cast<std::uint64_t>(reserve.output);
    metering.settled.estimated = true;
}

metrics::TokenDetails details_of(const api::Usage& usage) {
    using metrics::TokenDetail;
    metrics::TokenDetails out;
    out[TokenDetail::cache_read] = usage.cached.value_or(0);
    out[TokenDetail::cache_write] = usage.cache_write.value_or(0);
    out[TokenDetail::reasoning] = usage.reasoning.value_or(0);
    out[TokenDetail::audio_in] = usage.audio_in.value_or(0);
    out[TokenDetail::audio_out] = usage.audio_out.value_or(0);
    out[TokenDetail::image] = usage.image_in.value_or(0);
    return out;
}

void settle_answer(Exchange& ex) {
    Metering& metering = ex.metering;
    const policy::quota::Estimate& reserve = ex.account.reserve;
    refuse_absurd(metering.report.input, reserve.input, kLongestInput, metering.report.refused);
    refuse_absurd(metering.report.output, reserve.output, kLongestOutput, metering.report.refused);
    api::Observed observed;
    observed.input_estimate = counted_input(ex);
    observed.tokens_per_1000_octets = cautious_rate(ex.account.strict_money);
    observed.complete = metering.complete;
    metering.settled = api::settled_usage(metering.report, metering.delivered, observed);
    if (is_unknown(ex)) settle_unknown(metering, reserve);
    // Neither told nor counted is unknown, not 0.
    if (observed.input_estimate == 0 && !metering.report.input && !metering.report.audio_ms && !metering.unknown)
        metering.settled.input.reset();
    metrics::RequestRecord& record = ex.record;
    record.input_tokens = metering.settled.input;
    record.output_tokens = metering.settled.output;
    record.cached_tokens = metering.settled.cached;
    record.token_details = details_of(metering.settled);
    record.usage_source = !metering.settled.input ? "none" : metering.settled.estimated ? "estimated" : "upstream";
}

} // namespace

void Named::note(const api::AnswerView& answer) {
    constexpr std::size_t kMost = 128;
    if (!answer.id.empty()) id = answer.id.substr(0, kMost);
    if (!answer.model.empty()) model = answer.model.substr(0, kMost);
    finished |= answer.finished;
}

void note_answer(Exchange& ex, const api::Usage& report, bool has_error, std::string_view body) {
    Metering& metering = ex.metering;
    metering.report = report;
    metering.complete = true;
    if (!report.output && ex.route->billable) metering.delivered.observe(body);
    // An error with a good status: as if the provider had said so in its head.
    if (has_error && !report.reported() && metering.delivered.octets() == 0) metering.declined = true;
}

void read_usage(Exchange& ex, std::string_view body) {
    const auto answer = ex.worker.answer_reader.read(body, ex.route->operation);
    if (!answer) return note_answer(ex, {}, false, body);
    ex.metering.named.note(*answer);
    note_answer(ex, answer->usage, answer->has_error, body);
}

namespace {

void settle_usage(Exchange& ex) {
    Metering& metering = ex.metering;
    metering.settled = nothing_used();
    if (!metering.dispatched || ex.route == nullptr) return;
    if (!metering.declined && ex.route->billable) settle_answer(ex);
    ex.record.usage_refused = metering.report.refused || metering.settled.refused;
    ex.worker.metrics.used(ex.record);
}

} // namespace

void end_usage(Exchange& ex) {
    if (ex.metering.ended) return;
    ex.metering.ended = true;
    settle_usage(ex);
    settle(ex);
}

} // namespace tollgate::exchange
