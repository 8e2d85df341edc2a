// The log's own thread: octets become durable, the next file is there before it is needed, a failed file is replaced.
#include "gateway/base/log.hpp"
#include "policy/ledger/segment_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

namespace tollgate::policy::ledger {
void SegmentLog::run() {
    std::unique_lock lock(mutex_);
    while (!stopped_) {
        const bool owes = spare_wanted() || !refusing_.empty();
        if (!dirty_ && !owes) {
            idle_ = true;
            wake_.wait(lock, [this] { return stopped_ || dirty_; });
        } else if (!dirty_) {
            idle_ = true;
            wake_.wait_until(lock, next_attempt_, [this] { return stopped_ || dirty_; });
        }
        idle_ = false;
        lock.unlock();
        cycle();
        lock.lock();
        if (!stopped_) wake_.wait_for(lock, options_.sync_interval, [this] { return stopped_; });
    }
    lock.unlock();
    static_cast<void>(sync());
}

void SegmentLog::cycle() {
    static_cast<void>(sync());
    populate();
    const std::lock_guard one(sync_mutex_);
    bool wanted = false;
    std::size_t files = 0;
    {
        const std::lock_guard lock(mutex_);
        wanted = spare_wanted() && std::chrono::steady_clock::now() >= next_attempt_;
        files = live_.size() + spares_.size();
    }
    if (!wanted) return;
    std::expected<void, std::string> made;
    if (files < options_.max_segments) {
        made = make_spare();
    } else {
        made = std::unexpected(fmt::format("the ledger has {} files already: its rows do not reach SQLite", files));
    }
    const std::lock_guard lock(mutex_);
    if (!made && no_spare_ != made.error())
        log::error("the ledger cannot get its next file", {{"reason", made.error()}});
    no_spare_ = made ? std::string() : made.error();
    if (!made) next_attempt_ = std::chrono::steady_clock::now() + options_.retry_interval;
}

bool SegmentLog::spare_wanted() const {
    return spares_.empty() || slots_after(0).value_or(0) < 2 * open_.size();
}

std::expected<void, std::string> SegmentLog::make_spare() {
    const Sequence sequence = (last_sequence_ / kSequenceStep + 1) * kSequenceStep;
    auto segment = Segment::create(directory_, sequence, options_.segment_size);
    if (!segment) return std::unexpected(segment.error());
    last_sequence_ = sequence;
    (*segment)->populate(0, kSegmentHead + kPopulateMost);
    const std::lock_guard lock(mutex_);
    spares_.push_back(std::move(*segment));
    return {};
}

// A sync makes the kernel watch the pages again, so the next write to each of them would fault, the head's included.
void SegmentLog::populate() {
    std::shared_ptr<Segment> segment;
    std::size_t used = 0;
    std::size_t ahead = kPopulateLeast;
    {
        const std::lock_guard lock(mutex_);
        segment = current_;
        used = segment->used();
        if (used > populated_from_) ahead = std::clamp(2 * (used - populated_from_), kPopulateLeast, kPopulateMost);
        populated_from_ = used;
    }
    segment->populate(0, kSegmentHead);
    segment->populate(used, used + ahead);
}

std::deque<SegmentLog::Live>::iterator SegmentLog::find(const Segment* segment) {
    return std::ranges::find_if(live_, [segment](const Live& live) { return live.segment.get() == segment; });
}

std::vector<std::shared_ptr<Segment>> SegmentLog::to_sync() const {
    std::vector<std::shared_ptr<Segment>> wanted;
    for (const Live& live : live_) {
        if (!live.moved && (live.failed || live.segment->synced() < live.segment->used())) {
            wanted.push_back(live.segment);
        }
    }
    return wanted;
}

std::expected<void, std::string> SegmentLog::sync() {
    const std::lock_guard one(sync_mutex_);
    std::vector<std::shared_ptr<Segment>> wanted;
    {
        const std::lock_guard lock(mutex_);
        dirty_ = false;
        wanted = to_sync();
    }
    std::expected<void, std::string> done;
    for (const auto& segment : wanted) {
        if (auto synced = sync_one(segment); !synced) done = synced;
    }
    {
        const std::lock_guard lock(mutex_);
        if (done && !refusing_.empty()) log::info("the ledger is durable again", {});
        if (done) refusing_.clear();
    }
    if (!wanted.empty() && options_.on_synced) options_.on_synced();
    return done;
}

std::expected<void, std::string> SegmentLog::sync_one(const std::shared_ptr<Segment>& segment) {
    bool failed = false;
    {
        const std::lock_guard lock(mutex_);
        const auto at = find(segment.get());
        if (at == live_.end()) return {}; // released meanwhile: all of it is in SQLite
        failed = at->failed;
    }
    if (!failed) {
        const std::size_t used = segment->used();
        const int error = options_.sync(segment->fd());
        if (error == 0) {
            segment->set_synced(used);
            return {};
        }
        const std::string text =
            fmt::format("cannot sync {}: {}", segment->file(), std::generic_category().message(error));
        log::error("the ledger lost its durability: nothing new is admitted", {{"reason", text}});
        const std::lock_guard lock(mutex_);
        if (const auto at = find(segment.get()); at != live_.end()) at->failed = true;
        refusing_ = text;
        next_attempt_ = {};
    }
    return replace(segment);
}

// F44: after a failed sync the kernel may have dropped the pages while calling them clean, so a second sync of the same
// file would succeed and prove nothing. What had not been durable is copied from memory to a new file.
std::expected<void, std::string> SegmentLog::replace(const std::shared_ptr<Segment>& failed) {
    {
        const std::lock_guard lock(mutex_);
        if (std::chrono::steady_clock::now() < next_attempt_) return std::unexpected(refusing_);
        next_attempt_ = std::chrono::steady_clock::now() + options_.retry_interval;
    }
    if ((failed->sequence() + 1) % kSequenceStep == 0) return std::unexpected("too many failed files in a row");
    auto made = Segment::create(directory_, failed->sequence() + 1, failed->size());
    if (!made) return std::unexpected(made.error());
    const std::shared_ptr<Segment> fresh = std::move(*made);
    {
        const std::lock_guard lock(mutex_);
        const auto at = find(failed.get());
        if (at == live_.end()) return {};
        const std::size_t from = failed->synced();
        if (from < failed->used()) fresh->append(failed->octets(from, failed->used()));
        at->moved = Moved{.to = fresh, .from = from};
        if (current_ == failed) {
            current_ = fresh;
            populated_from_ = 0;
        }
        live_.insert(std::next(at), {.segment = fresh, .failed = false, .moved = {}});
    }
    const std::size_t used = fresh->used();
    const int error = options_.sync(fresh->fd());
    if (error == 0) {
        fresh->set_synced(used);
        const std::lock_guard lock(mutex_);
        next_attempt_ = {};
        return {};
    }
    const std::lock_guard lock(mutex_);
    if (const auto at = find(fresh.get()); at != live_.end()) at->failed = true;
    return std::unexpected(fmt::format("cannot sync {}: {}", fresh->file(), std::generic_category().message(error)));
}

} // namespace tollgate::policy::ledger
