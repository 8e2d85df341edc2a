// Reservations of one org, open and reaped: a slab with an index by id. Under the org's mutex. Allocates only while it
// grows: closed records keep their memory for the next ones.
#pragma once

#include "policy/quota/counter_store.hpp"
#include "policy/quota/scope.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

namespace tollgate::policy::quota {

// What one reservation took from one counter.
struct Line {
    Counter* counter = nullptr;
    PeriodSlot* slot = nullptr; // money: the period of admission
    std::int64_t held = 0;      // once reaped: what was charged
    std::uint32_t forgiven = 0; // the bucket's count at the time
};

struct Record {
    enum class State : std::uint8_t { closed, open, reaped };

    ReservationId id{};
    State state = State::closed;
    TimePoint expires{};  // open: reaped then; reaped: forgotten then
    TimePoint deadline{}; // `expires` never passes it while open
    std::optional<Estimate> progress{};
    Moment admitted{};
    std::vector<Line> lines{};
};

class Records {
  public:
    [[nodiscard]] Record* find(const ReservationId& id);
    Record& insert(const ReservationId& id); // precondition: not there; throws std::bad_alloc with nothing changed
    void erase(Record& record);

    // Records in storage order, closed ones included.
    [[nodiscard]] std::size_t size() const { return slab_.size(); }
    [[nodiscard]] Record& at(std::size_t i) { return slab_[i]; }

  private:
    void grow();
    [[nodiscard]] std::size_t place_of(const ReservationId& id) const; // where it is, or the hole where it belongs

    static constexpr std::uint32_t kHole = 0xffff'ffff;

    std::deque<Record> slab_; // addresses are stable
    std::vector<std::uint32_t> free_;
    std::vector<std::uint32_t> table_; // open addressing, linear probing; a power of two, at most half full
    std::size_t used_ = 0;
};

} // namespace tollgate::policy::quota
