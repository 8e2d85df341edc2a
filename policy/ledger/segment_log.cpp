#include "policy/ledger/segment_log.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <unistd.h>
#include <utility>

namespace tollgate::policy::ledger {
namespace {

int data_sync(int fd) {
    return ::fdatasync(fd) == 0 ? 0 : errno;
}

std::size_t slots_in(std::size_t octets) {
    return octets / kMaxSettleFrame;
}

} // namespace

SegmentLog::SegmentLog(std::string directory, LogOptions options)
    : directory_(std::move(directory)), options_(std::move(options)) {
    open_.reserve(1U << 14U);
}

auto SegmentLog::open(std::string directory, LogOptions options, const Recovery& recovery)
    -> std::expected<std::unique_ptr<SegmentLog>, std::string> {
    options.segment_size = std::max(options.segment_size, kMinSegment);
    if (!options.sync) options.sync = data_sync;
    std::unique_ptr<SegmentLog> log(new SegmentLog(std::move(directory), std::move(options)));
    for (const auto& segment : recovery.segments) {
        log->live_.push_back({.segment = segment, .failed = false, .moved = {}});
        log->last_sequence_ = segment->sequence();
    }
    for (const OpenOperation& operation : recovery.open) {
        log->open_.insert(std::hash<std::string_view>{}(operation.admit.record().request_id));
    }
    // The room for what is open comes first, or the ledger could not keep its promise to settle.
    do {
        if (auto made = log->make_spare(); !made) return std::unexpected(made.error());
        if (log->current_ == nullptr) {
            log->current_ = log->spares_.front();
            log->spares_.pop_front();
            log->live_.push_back({.segment = log->current_, .failed = false, .moved = {}});
        }
    } while (log->slots_after(0).value_or(0) < log->open_.size());
    log->dirty_ = true;
    return log;
}

SegmentLog::~SegmentLog() {
    stop();
}

void SegmentLog::start() {
    thread_ = std::thread([this] { run(); });
}

void SegmentLog::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

std::optional<std::size_t> SegmentLog::slots_after(std::size_t octets) const {
    std::size_t slots = 0;
    for (const auto& spare : spares_) slots += slots_in(spare->room());
    if (current_->room() >= octets) return slots + slots_in(current_->room() - octets);
    if (spares_.empty()) return std::nullopt;
    const std::size_t room = spares_.front()->room(); // what is left of the current one would be given up
    return slots - slots_in(room) + slots_in(room - octets);
}

bool SegmentLog::place(std::size_t octets, std::size_t slots_needed) {
    const std::optional<std::size_t> slots = slots_after(octets);
    if (!slots || *slots < slots_needed) return false;
    if (current_->room() >= octets) return true;
    current_ = std::move(spares_.front());
    spares_.pop_front();
    live_.push_back({.segment = current_, .failed = false, .moved = {}});
    populated_from_ = 0;
    return true;
}

void SegmentLog::write(std::string_view frame) {
    current_->append(frame);
    dirty_ = true;
}

Error SegmentLog::unavailable() {
    // The reason names files of ours: it is in the log and in stats(), not in the answer.
    return {.type = ErrorType::gateway_overloaded,
            .status = 503,
            .message = "The usage ledger cannot take new requests at the moment, so nothing can be spent. "
                       "Requests in progress are not affected. The operator's log says why.",
            .code = "ledger_unavailable",
            .retry = Retry::after,
            .retry_after_ms = 5'000};
}

Result<void> SegmentLog::append(Purpose purpose, std::uint64_t id, std::string_view frame) {
    bool notify = false;
    {
        const std::lock_guard lock(mutex_);
        if (stopped_) return fail(unavailable());
        std::size_t open = open_.size();
        if (purpose == Purpose::admit) {
            if (!refusing_.empty()) return fail(unavailable());
            if (!open_.contains(id)) ++open;
        } else if (purpose == Purpose::settle && open_.contains(id)) {
            --open;
        }
        if (!place(frame.size(), open)) return fail(unavailable());
        try {
            if (purpose == Purpose::admit) open_.insert(id);
        } catch (const std::bad_alloc&) {
            return fail(unavailable());
        }
        if (purpose == Purpose::settle) open_.erase(id);
        write(frame);
        notify = std::exchange(idle_, false);
    }
    if (notify) wake_.notify_all();
    return {};
}

bool SegmentLog::carry(std::uint64_t id, std::string_view frames) {
    const std::lock_guard lock(mutex_);
    if (stopped_ || !open_.contains(id)) return !stopped_;
    if (!place(frames.size(), open_.size())) return false;
    write(frames);
    return true;
}

SegmentLog::Cursor SegmentLog::begin() const {
    const std::lock_guard lock(mutex_);
    return {.segment = live_.front().segment};
}

bool SegmentLog::advance(Cursor& cursor) const {
    const std::lock_guard lock(mutex_);
    const auto at = std::ranges::find(live_, cursor.segment, &Live::segment);
    if (at == live_.end()) return false;
    if (at->moved && cursor.offset >= at->moved->from) {
        cursor = {.segment = at->moved->to, .offset = kSegmentHead + (cursor.offset - at->moved->from)};
        return true;
    }
    if (cursor.offset < cursor.segment->used() || cursor.segment == current_ || std::next(at) == live_.end()) {
        return false;
    }
    cursor = {.segment = std::next(at)->segment};
    return true;
}

std::expected<void, std::string> SegmentLog::release(const std::shared_ptr<Segment>& segment) {
    {
        const std::lock_guard lock(mutex_);
        const auto at = find(segment.get());
        if (at != live_.end()) live_.erase(at);
        next_attempt_ = {}; // there may be room for a spare now
        idle_ = false;
        dirty_ = true;
    }
    wake_.notify_all();
    return segment->remove();
}

LogStats SegmentLog::stats() const {
    const std::lock_guard lock(mutex_);
    LogStats stats{.open = open_.size(),
                   .settle_slots = slots_after(0).value_or(0),
                   .segments = live_.size() + spares_.size(),
                   .unsynced = 0,
                   .fault = refusing_.empty() ? no_spare_ : refusing_};
    for (const Live& live : live_) {
        if (!live.moved) stats.unsynced += live.segment->used() - live.segment->synced();
    }
    return stats;
}

} // namespace tollgate::policy::ledger
