// What one worker knows of one flight: however many follow it here, news costs one wake and one look at its log.
#pragma once

#include "cache/flight.hpp"
#include "gateway/api/replay/dialect.hpp"
#include "gateway/exchange/worker_state.hpp"

#include <boost/intrusive/list.hpp>

#include <memory>
#include <optional>
#include <string>

namespace tollgate::exchange {

// One coroutine that waits for news.
class FlightWaiter
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  public:
    Wakeup wake;
};

// On its worker's thread. Its followers own it.
class FlightPort final : public std::enable_shared_from_this<FlightPort> {
  public:
    [[nodiscard]] static std::shared_ptr<FlightPort> of(WorkerState& worker, const cache::FlightPtr& flight);
    FlightPort(WorkerState& worker, cache::FlightPtr flight);
    ~FlightPort();
    FlightPort(const FlightPort&) = delete;
    FlightPort& operator=(const FlightPort&) = delete;

    // May change with every suspension.
    [[nodiscard]] const cache::Flight::Reading& reading() const noexcept { return reading_; }
    // The whole completion of the complete flight, in no client's form; nothing if it cannot be told in another one.
    [[nodiscard]] const std::optional<std::string>& completion(api::replay::Dialect dialect);
    // It leaves the list when it is woken, or destroyed.
    void add(FlightWaiter& waiter) { waiting_.push_back(waiter); }

  private:
    class Doorbell;
    using Waiters = boost::intrusive::list<FlightWaiter, boost::intrusive::constant_time_size<false>>;

    void look();
    void wake_some();

    WorkerState& worker_;
    const cache::FlightPtr flight_;
    const std::shared_ptr<Doorbell> doorbell_;
    cache::Flight::Reading reading_;
    bool asked_ = false;
    std::optional<std::string> completion_;
    Waiters waiting_, due_;
    bool waking_ = false;
};

} // namespace tollgate::exchange
