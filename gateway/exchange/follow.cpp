#include "gateway/exchange/follow.hpp"

#include "gateway/api/estimate.hpp"
#include "gateway/exchange/accounting.hpp"
#include "gateway/exchange/exchange.hpp"

#include <algorithm>

namespace tollgate::exchange {
namespace {

constexpr std::uint64_t kQuantum = 512; // tokens of output that a stream takes at once beyond its reserve

} // namespace

bool keep_covered(Exchange& ex) {
    Account& account = ex.account;
    if (!account.counts_tokens || !account.reservation) return true;
    const api::DeliveredText& delivered = ex.metering.delivered;
    std::uint64_t output = api::estimated_output(delivered, cautious_rate(account.strict_money));
    // The cautious count is far above what is really used: no reason to end what keeps to its maximum.
    if (account.strict_money) output = std::min(output, std::max(delivered.deltas(), account.bound_output));
    if (output <= account.covered_output) return true;
    api::Usage usage = used_so_far(ex);
    policy::quota::ExtendReply reply;
    // A whole quantum if there is room for it, else what has been delivered.
    for (const std::uint64_t ahead : {kQuantum, std::uint64_t{0}}) {
        usage.output = output + ahead;
        reply = account.reservation.extend(priced(ex, usage), {Clock::now(), WallClock::now()});
        if (reply.denial) continue;
        account.covered_output = reply.extended ? output + ahead : UINT64_MAX;
        return true;
    }
    name_limit(ex, reply.denial->state);
    return false;
}

void learn(Exchange& ex) {
    const api::Usage& usage = ex.metering.settled;
    const bool told =
        ex.metering.complete && ex.metering.dispatched && !ex.metering.declined && !usage.estimated && !usage.refused;
    if (!ex.account.counts_tokens || !told || ex.route->body != api::BodyKind::json || ex.body.size() == 0) return;
    const api::RequestSize size = api::request_size(ex.view, *ex.route, ex.body.size());
    Habits::Seen seen;
    if (usage.output && !api::limits_output(size)) {
        const std::uint64_t answers = api::answers(size);
        seen.output = *usage.output / answers + (*usage.output % answers != 0);
    }
    if (usage.input && size.content == api::Unbounded::none)
        seen.input_tokens_per_1000_octets = *usage.input * 1'000 / ex.body.size();
    ex.worker.habits.note(ex.principal->key_id, ex.model->name, seen, ex.client.now());
}

} // namespace tollgate::exchange
