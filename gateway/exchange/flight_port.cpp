#include "gateway/exchange/flight_port.hpp"

#include "gateway/exchange/flight_form.hpp"

#include <boost/asio/post.hpp>

#include <atomic>

namespace tollgate::exchange {
namespace {

constexpr int kWakeAtOnce = 32; // then others have their turn: a flight may have thousands of followers

} // namespace

// Rung by the leader's thread; its own thread answers, at most once for any number of rings.
class FlightPort::Doorbell final : public cache::FlightListener, public std::enable_shared_from_this<Doorbell> {
  public:
    explicit Doorbell(asio::io_context& io) : io_(io) {}

    void on_news() override {
        if (rung_.exchange(true)) return;
        asio::post(io_, [self = shared_from_this()] {
            self->rung_.store(false);
            if (self->port != nullptr) self->port->look();
        });
    }

    FlightPort* port = nullptr; // the worker's thread only

  private:
    asio::io_context& io_;
    std::atomic<bool> rung_{false};
};

std::shared_ptr<FlightPort> FlightPort::of(WorkerState& worker, const cache::FlightPtr& flight) {
    const auto known = worker.flight_ports.find(flight.get());
    if (known != worker.flight_ports.end()) return known->second->shared_from_this();
    return std::make_shared<FlightPort>(worker, flight);
}

FlightPort::FlightPort(WorkerState& worker, cache::FlightPtr flight)
    : worker_(worker), flight_(std::move(flight)), doorbell_(std::make_shared<Doorbell>(worker.io)) {
    doorbell_->port = this;
    worker_.flight_ports.emplace(flight_.get(), this);
    flight_->attach(doorbell_); // before the first look: nothing is missed
    flight_->read(reading_);
}

FlightPort::~FlightPort() {
    doorbell_->port = nullptr;
    flight_->detach(*doorbell_);
    worker_.flight_ports.erase(flight_.get());
}

const std::optional<std::string>& FlightPort::completion(api::replay::Dialect dialect) {
    if (!asked_) completion_ = completion_of(dialect, reading_);
    asked_ = true;
    return completion_;
}

void FlightPort::look() {
    flight_->read(reading_);
    due_.splice(due_.end(), waiting_);
    if (!waking_) wake_some();
}

// A woken coroutine may do anything, also wait again or end this port.
void FlightPort::wake_some() {
    const auto keep = shared_from_this();
    waking_ = true;
    for (int i = 0; i < kWakeAtOnce && !due_.empty(); ++i) {
        FlightWaiter& next = due_.front();
        due_.pop_front();
        next.wake.notify();
    }
    waking_ = !due_.empty();
    if (waking_) asio::post(worker_.io, [keep] { keep->wake_some(); });
}

} // namespace tollgate::exchange
