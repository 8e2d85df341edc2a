// Who waits for which reply of a pipelined connection. Replies carry no name, only their order, so a slot stays in the
// queue until its reply has come, even if nobody wants that reply any more. No I/O; time is an argument.
#pragma once

#include "cache/redis/client.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <vector>

namespace tollgate::redis {

// A waiting command. The queue owns it while it waits, so that a queue that goes away takes the suspended coroutines
// with it; the coroutine only borrows it and reads `result` as the first thing after it was woken.
struct Waiter {
    std::expected<Reply, Failure> result = std::unexpected(Failure::down);
    Wakeup wake;
};
using WaiterPtr = std::unique_ptr<Waiter>;

struct ReplySlot {
    TimePoint deadline;
    WaiterPtr waiter; // null: posted, or given up on
};

class ReplyQueue {
  public:
    // An answer of any kind is expected within this time after a timeout, else the connection is considered dead.
    static constexpr Duration kSilence = std::chrono::seconds(1);

    // Deadlines never decrease. The waiter is null for a command whose reply nobody wants.
    void push(TimePoint deadline, WaiterPtr waiter);
    struct Popped {
        WaiterPtr waiter;
        bool in_time = false; // its deadline had not been handled by expire()
    };
    // The slot of the oldest command; nothing if no reply is due.
    [[nodiscard]] std::optional<Popped> pop();
    // Octets arrived: the peer lives.
    void heard(TimePoint now);

    struct Expired {
        std::size_t count = 0; // slots whose deadline passed
        std::vector<WaiterPtr> waiters;
    };
    [[nodiscard]] Expired expire(TimePoint now);
    // Nothing has been heard for kSilence since a deadline passed.
    [[nodiscard]] bool dead(TimePoint now) const;
    // When expire() or dead() may next have something to say; kNever if nothing is outstanding.
    [[nodiscard]] TimePoint next_event() const;

    // Empties the queue: every slot, oldest first, and how many of them expire() had not handled.
    [[nodiscard]] Expired clear();
    [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }

  private:
    std::deque<ReplySlot> slots_;
    std::size_t expired_ = 0;         // leading slots handled by expire()
    TimePoint silent_since_ = kNever; // set while expired_ > 0
};

} // namespace tollgate::redis
