// A leader among several processes: makes the call if no other process does, else waits for what that one keeps.
#pragma once

#include "cache/entry.hpp"
#include "gateway/base/deadlines.hpp"
#include "gateway/exchange/exchange.hpp"
#include "gateway/exchange/flight_lead.hpp"

namespace tollgate::exchange {

// The right to make the call, for as long as it stands: renewed every second, given back at the end.
class FleetLease final : public Deadline {
  public:
    explicit FleetLease(Exchange& ex) : Deadline(ex.worker.deadlines), ex_(ex) {}
    ~FleetLease() override;

    void hold(std::uint64_t epoch);
    void give_back();

  private:
    void on_expired() override;
    void on_terminate() override {}

    Exchange& ex_;
};

// Error: the client left or the process stops before it was this process's turn. An entry: another process's answer.
// Null: make the call. Without Redis, or where it fails, at once.
Task<Result<cache::EntryPtr>> await_turn(Exchange& ex, FlightLead& lead, FleetLease& lease);

} // namespace tollgate::exchange
