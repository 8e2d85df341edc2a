#include "gateway/base/deadlines.hpp"

namespace tollgate {

// Firing may resume coroutines that destroy any entry. What is to fire is moved to a list of its own first, from which
// a destroyed entry unlinks itself, and each goes back before it fires; nothing is held across the call.
template <class Pick, class Fire>
void DeadlineList::fire_each(Pick pick, Fire fire) {
    List firing;
    for (auto entry = list_.begin(); entry != list_.end();) {
        Deadline& deadline = *entry++;
        if (!pick(deadline)) continue;
        list_.erase(list_.iterator_to(deadline));
        firing.push_back(deadline);
    }
    while (!firing.empty()) {
        Deadline& deadline = firing.front();
        firing.pop_front();
        list_.push_back(deadline);
        if (!pick(deadline)) continue; // what fired before has moved it
        deadline.at_ = kNever;
        deadline.expired_ = true;
        fire(deadline);
    }
}

void DeadlineList::tick(TimePoint now) {
    now_ = now;
    fire_each([now](const Deadline& entry) { return entry.at_ <= now; }, [](Deadline& entry) { entry.on_expired(); });
}

void DeadlineList::expire_clock(std::string_view clock, TimePoint latest) {
    fire_each(
        [=](const Deadline& entry) { return entry.at_ != kNever && entry.at_ <= latest && entry.clock_ == clock; },
        [](Deadline& entry) { entry.on_expired(); });
}

void DeadlineList::terminate_all() {
    fire_each([](const Deadline&) { return true; }, [](Deadline& entry) { entry.on_terminate(); });
}

} // namespace tollgate
