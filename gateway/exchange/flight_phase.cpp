#include "gateway/exchange/flight_phase.hpp"

#include "gateway/exchange/accounting.hpp"
#include "gateway/exchange/cache_phase.hpp"
#include "gateway/exchange/flight_fleet.hpp"
#include "gateway/exchange/flight_follow.hpp"
#include "gateway/exchange/flight_lead.hpp"
#include "gateway/exchange/forward.hpp"
#include "gateway/exchange/receipt.hpp"

namespace tollgate::exchange {
namespace {

using Role = cache::FlightDirectory::Role;

class Following {
  public:
    explicit Following(const cache::FlightPtr& flight) : flight_(flight) {}
    ~Following() { flight_->leave(); }
    Following(const Following&) = delete;
    Following& operator=(const Following&) = delete;

  private:
    const cache::FlightPtr& flight_;
};

Result<void> admit_follower(Exchange& ex) {
    if (ex.account.request_counted) return {};
    return admit(ex, true);
}

Task<Result<void>> answer_with(Exchange& ex, cache::EntryPtr entry) {
    if (auto ok = admit_follower(ex); !ok) co_return ok;
    co_await send_hit(ex, std::move(entry));
    co_return Result<void>();
}

// `fleet`: other processes are asked whether they make the call.
Task<Result<void>> lead(Exchange& ex, cache::FlightPtr flight, bool fleet) {
    FlightLead lead(ex, std::move(flight));
    if (auto entry = look_again(ex)) { // answered between the look-up and here
        lead.dissolve();
        auto result = co_await answer_with(ex, std::move(entry));
        co_return result;
    }
    FleetLease lease(ex);
    if (fleet) {
        auto elsewhere = co_await await_turn(ex, lead, lease);
        if (!elsewhere) co_return fail(elsewhere.error());
        if (*elsewhere) {
            lead.dissolve();
            auto result = co_await answer_with(ex, std::move(*elsewhere));
            co_return result;
        }
    }
    if (auto ok = admit(ex, false); !ok) co_return ok; // the next one leads with what its own key may spend
    // An answer to a smaller question, or one that this key's limits may end early, is nobody else's.
    if (ex.account.capped || ex.account.cuts_streams) {
        lead.dissolve();
        lease.give_back();
    }
    auto result = co_await forward(ex);
    lead.finish(result);
    co_return result;
}

// What a request says of itself while it follows; as it was before if it has to go by itself after all.
class FollowerRole {
  public:
    explicit FollowerRole(Exchange& ex) : ex_(ex), cache_(ex.record.cache), status_(ex.cache_status) {
        ex_.record.cache = metrics::CacheResult::collapsed;
        ex_.cache_status = "tollgate; fwd=miss; collapsed";
        ex_.account.cost = 0;
    }
    void give_up() {
        ex_.record.cache = cache_;
        ex_.cache_status = status_;
        ex_.account.cost.reset();
    }

  private:
    Exchange& ex_;
    const metrics::CacheResult cache_;
    const std::string status_;
};

// The flight of those for whom the question's own has no fitting answer: a stream that will not say what it used is
// none for JSON. One more call then, not one each.
cache::Key second_flight(cache::Key key) {
    key.front() ^= 0x80;
    return key;
}

Task<Result<void>> share(Exchange& ex) {
    auto& flights = ex.worker.shared.flights;
    cache::Key key = ex.cache.key;
    unsigned election = 0;
    for (;;) {
        const bool first = key == ex.cache.key;
        auto joined =
            flights.join(key, election, ex.snapshot->config.cache.max_entry, Clock::now(), ex.cache.idempotent);
        if (joined.role == Role::alone) break;
        if (joined.role == Role::failed) {
            if (auto ok = admit_follower(ex); !ok) co_return ok;
            co_return fail(std::move(*joined.error));
        }
        if (joined.role == Role::lead) {
            auto result = co_await lead(ex, std::move(joined.flight), first);
            co_return result;
        }
        const Following following(joined.flight);
        if (auto ok = admit_follower(ex); !ok) co_return ok;
        FollowerRole role(ex);
        auto followed = co_await follow(ex, joined.flight);
        if (followed.what == Followed::done) {
            ex.worker.metrics.shard().add(ex.worker.collapsed);
            co_return followed.result;
        }
        role.give_up();
        if (followed.what == Followed::go_alone && !first) break;
        election = followed.election;
        if (followed.what == Followed::go_alone) {
            key = second_flight(key);
            election = 0;
        }
        if (auto entry = look_again(ex)) {
            auto result = co_await answer_with(ex, std::move(entry));
            co_return result;
        }
    }
    if (auto ok = admit(ex, false); !ok) co_return ok;
    auto result = co_await forward(ex);
    co_return result;
}

} // namespace

Task<Result<void>> ask_upstream(Exchange& ex) {
    if (ex.cache.share && !wants_receipt(ex)) { // whose events tell what it alone has paid
        auto result = co_await share(ex);
        co_return result;
    }
    if (auto ok = admit(ex, false); !ok) co_return ok;
    auto result = co_await forward(ex);
    co_return result;
}

} // namespace tollgate::exchange
