#include "gateway/exchange/flight_fleet.hpp"

#include "cache/flight_lease.hpp"
#include "gateway/exchange/cache_phase.hpp"
#include "gateway/exchange/relay_plan.hpp"
#include "gateway/net/listener.hpp"

#include <boost/asio/redirect_error.hpp>

#include <optional>

namespace tollgate::exchange {
namespace {

using Turn = cache::FlightLeases::Turn;
// A holder that died tells nobody; while nothing is heard of the others, one looks more often.
constexpr auto kLook = std::chrono::milliseconds(500);
constexpr auto kLookUnheard = std::chrono::milliseconds(50);

// A pause that ends early when another process has news, nobody wants the answer any more, or this process stops.
class Pause final : public net::PeerWatcher, public Interruptible, public redis::ChannelListener {
  public:
    Pause(Exchange& ex, FlightLead& lead)
        : ex_(ex), lead_(lead), timer_(ex.worker.io), news_(ex.worker.leases->news_of(ex.cache.key, *this)) {
        ex_.worker.running.push_back(*this);
        lead_.watch(this);
        ex_.client.watch(this);
    }
    ~Pause() override {
        ex_.client.watch(nullptr);
        lead_.watch(nullptr);
    }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

    Task<void> take() {
        boost::system::error_code ignored;
        timer_.expires_after(ex_.worker.leases->hears() ? kLook : kLookUnheard);
        if (!stopped_ && !ex_.client_gone && !told_)
            co_await timer_.async_wait(asio::redirect_error_t<UseTask>(UseTask{}, ignored));
        told_ = false;
    }
    [[nodiscard]] bool stopped() const noexcept { return stopped_; }

    void on_message() override {
        told_ = true;
        timer_.cancel();
    }
    void on_peer_gone() override {
        if (lead_.keeps_on()) return;
        ex_.client_gone = true;
        timer_.cancel();
    }
    void on_shutdown() override {
        stopped_ = true;
        timer_.cancel();
    }

  private:
    Exchange& ex_;
    FlightLead& lead_;
    net::SteadyTimer timer_;
    bool stopped_ = false;
    bool told_ = false; // between two pauses
    const redis::Subscription news_;
};

} // namespace

FleetLease::~FleetLease() {
    give_back();
}

void FleetLease::give_back() {
    if (ex_.cache.epoch == 0) return;
    expire_never();
    ex_.worker.leases->release(ex_.cache.key, ex_.cache.epoch, ex_.cache.unfit);
    ex_.cache.epoch = 0;
}

void FleetLease::hold(std::uint64_t epoch) {
    ex_.cache.epoch = epoch;
    expire_at(Clock::now() + cache::FlightLeases::kRenewal, "flight lease");
}

void FleetLease::on_expired() {
    ex_.worker.leases->renew(ex_.cache.key, ex_.cache.epoch);
    expire_at(Clock::now() + cache::FlightLeases::kRenewal, "flight lease");
}

Task<Result<cache::EntryPtr>> await_turn(Exchange& ex, FlightLead& lead, FleetLease& lease) {
    if (!ex.worker.leases || !ex.cache.store || ex.items) co_return cache::EntryPtr(); // items are kept one by one
    if (ex.cache.idempotent && !co_await ex.worker.leases->name_question(ex.cache.idempotency_key, ex.cache.key))
        co_return fail(idempotency_key_reused());
    const TimePoint latest = Clock::now() + ex.model->timeouts.total;
    bool unless_answered = true;
    std::optional<Pause> pause; // whose turn it is at once needs none
    while (Clock::now() < latest) {
        const auto claim = co_await ex.worker.leases->claim(ex.cache.key, unless_answered);
        if (claim.turn == Turn::mine) lease.hold(claim.epoch); // first: whoever leaves below gives it back
        if (ex.client_gone) co_return fail(client_left());
        if (pause && pause->stopped()) co_return fail(shutdown_error());
        if (claim.turn != Turn::others && claim.turn != Turn::answered) break;
        if (claim.turn == Turn::answered) {
            if (auto entry = co_await look_again_in_redis(ex)) co_return entry;
            unless_answered = false;
            continue;
        }
        unless_answered = true;
        if (!pause) pause.emplace(ex, lead);
        co_await pause->take();
    }
    co_return cache::EntryPtr();
}

} // namespace tollgate::exchange
