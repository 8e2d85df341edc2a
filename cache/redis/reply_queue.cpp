#include "cache/redis/reply_queue.hpp"

#include <algorithm>
#include <utility>

namespace tollgate::redis {

void ReplyQueue::push(TimePoint deadline, WaiterPtr waiter) {
    slots_.push_back({deadline, std::move(waiter)});
}

std::optional<ReplyQueue::Popped> ReplyQueue::pop() {
    if (slots_.empty()) return std::nullopt;
    Popped popped{std::move(slots_.front().waiter), expired_ == 0};
    slots_.pop_front();
    if (expired_ > 0) --expired_;
    if (expired_ == 0) silent_since_ = kNever;
    return popped;
}

void ReplyQueue::heard(TimePoint now) {
    if (expired_ > 0) silent_since_ = now;
}

ReplyQueue::Expired ReplyQueue::expire(TimePoint now) {
    Expired expired;
    for (; expired_ < slots_.size() && slots_[expired_].deadline <= now; ++expired_) {
        ++expired.count;
        if (slots_[expired_].waiter) expired.waiters.push_back(std::move(slots_[expired_].waiter));
    }
    if (expired_ > 0 && silent_since_ == kNever) silent_since_ = now;
    return expired;
}

bool ReplyQueue::dead(TimePoint now) const {
    return silent_since_ != kNever && now - silent_since_ >= kSilence;
}

TimePoint ReplyQueue::next_event() const {
    const TimePoint oldest = expired_ < slots_.size() ? slots_[expired_].deadline : kNever;
    return silent_since_ == kNever ? oldest : std::min(oldest, silent_since_ + kSilence);
}

ReplyQueue::Expired ReplyQueue::clear() {
    Expired all;
    all.count = slots_.size() - expired_;
    for (ReplySlot& slot : slots_) {
        if (slot.waiter) all.waiters.push_back(std::move(slot.waiter));
    }
    slots_.clear();
    expired_ = 0;
    silent_since_ = kNever;
    return all;
}

} // namespace tollgate::redis
