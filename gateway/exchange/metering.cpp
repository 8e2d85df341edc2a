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

void settle_answer(Exchange& ex) {
    Metering& metering = ex.metering;
    api::Observed observed;
    observed.input_estimate = counted_input(ex);
    observed.complete = metering.complete;
    metering.settled = api::settled_usage(metering.report, metering.delivered, observed);
    // Neither told nor counted is unknown, not 0.
    if (observed.input_estimate == 0 && !metering.report.input && !metering.report.audio_ms)
        metering.settled.input.reset();
    metrics::RequestRecord& record = ex.record;
    record.input_tokens = metering.settled.input;
    record.output_tokens = metering.settled.output;
    record.cached_tokens = metering.settled.cached;
    record.usage_source = !metering.settled.input ? "none" : metering.settled.estimated ? "estimated" : "upstream";
}

} // namespace

void note_answer(Exchange& ex, const api::Usage& report, bool has_error, std::string_view body) {
    Metering& metering = ex.metering;
    metering.report = report;
    metering.complete = true;
    if (!report.output && ex.route->billable) metering.delivered.observe(body);
    // An error with a good status: as if the provider had said so in its head.
    if (has_error && !report.reported() && metering.delivered.octets() == 0) metering.declined = true;
}

namespace {

void settle_usage(Exchange& ex) {
    Metering& metering = ex.metering;
    metering.settled = nothing_used();
    if (!metering.dispatched || ex.route == nullptr) return;
    ex.record.usage_refused = metering.report.refused;
    if (!metering.declined && ex.route->billable) settle_answer(ex);
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
