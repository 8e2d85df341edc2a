#include "gateway/exchange/accounting.hpp"

#include "policy/quota/denial.hpp"

#include <algorithm>
#include <array>

namespace tollgate::exchange {
namespace {

namespace quota = policy::quota;

// Metrics want words of a closed set in static storage.
std::string_view kind_word(std::string_view kind) {
    static constexpr std::array<std::string_view, 7> kKinds{"key",       "team",       "org",      "model",
                                                            "key|model", "team|model", "org|model"};
    const auto found = std::ranges::find(kKinds, kind);
    return found == kKinds.end() ? std::string_view("other") : *found;
}

Result<void> judge(Exchange& ex, const quota::AdmitReply& reply, WallTime wall) {
    ex.limits = policy::told_limits(reply, wall);
    if (reply.admitted) return {};
    const quota::CounterState& state = reply.denial->state;
    ex.record.limit_scope = kind_word(state.names->kind);
    ex.record.limit_name = quota::to_string(state.dimension);
    return fail(quota::denial_error(*reply.denial, ex.principal->contact, wall));
}

quota::Moment now() {
    return {Clock::now(), WallClock::now()};
}

} // namespace

Result<void> peek(Exchange& ex) {
    const auto moment = now();
    return judge(ex, quota::Engine::peek(ex.principal->scopes, quota::Ask::request_only(), moment), moment.wall);
}

Result<void> admit(Exchange& ex, bool hit) {
    const auto moment = now();
    const auto scopes = ex.snapshot->directory.scopes_for(*ex.principal, ex.model != nullptr ? ex.record.model : "");
    quota::AdmitCommand command{.id = quota::ReservationId(ex.id.view()), .scopes = scopes.view(), .now = moment};
    if (hit) command.ask = quota::Ask::request_only();
    auto admission = quota::Engine::admit(command);
    ex.worker.metrics.shard().observe(ex.worker.limit_check, Clock::now() - moment.steady);
    ex.reservation = std::move(admission.reservation);
    return judge(ex, admission.reply, moment.wall);
}

} // namespace tollgate::exchange
