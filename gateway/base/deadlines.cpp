#include "gateway/base/deadlines.hpp"

namespace tollgate {

void DeadlineList::tick(TimePoint now) {
    now_ = now;
    // on_expired may resume coroutines that destroy any entry, so nothing is held across the call: the walk restarts
    // after each firing. Firing clears the deadline, so every pass makes progress.
    for (bool fired = true; fired;) {
        fired = false;
        for (Deadline& entry : list_) {
            if (entry.at_ > now) continue;
            entry.at_ = kNever;
            entry.expired_ = true;
            entry.on_expired();
            fired = true;
            break;
        }
    }
}

void DeadlineList::expire_clock(std::string_view clock) {
    for (Deadline& entry : list_)
        if (entry.at_ != kNever && entry.clock_ == clock) entry.at_ = TimePoint::min();
    tick(Clock::now());
}

void DeadlineList::terminate_all() {
    for (Deadline& entry : list_) entry.terminating_ = true;
    for (bool found = true; found;) {
        found = false;
        for (Deadline& entry : list_) {
            if (!entry.terminating_) continue;
            entry.terminating_ = false;
            entry.expired_ = true;
            entry.on_terminate();
            found = true;
            break;
        }
    }
}

} // namespace tollgate
