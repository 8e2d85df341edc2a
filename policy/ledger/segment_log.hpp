// The segments as one append-only log, and the thread that makes it durable.
//
// All threads append to ONE segment under a mutex that is held for a room check, a memcpy and a store (well under
// 100 ns). A segment per thread would save that lock and cost more than it gives: the records of one request may come
// from several threads, so "ADMIT before SETTLE" would not be the order of the octets; a kill could tear one tail per
// thread; and the space promised to settles could not be counted in one place.
#pragma once

#include "gateway/base/error.hpp"
#include "policy/ledger/recover.hpp"
#include "policy/ledger/segment.hpp"

#include <boost/unordered/unordered_flat_set.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace tollgate::policy::ledger {

struct LogOptions {
    std::size_t segment_size = 64U << 20U;
    std::size_t max_segments = 64;                   // files at once, those waiting for SQLite included
    std::chrono::milliseconds sync_interval{10};     // how far durability may lag behind append()
    std::chrono::milliseconds retry_interval{1'000}; // between attempts to make a file after a failure
    std::function<int(int)> sync;                    // fd -> errno or 0; empty: fdatasync. For fault injection
    std::function<void()> on_synced;                 // called by the log's thread after octets became durable
};

// What a record does to the number of open operations.
enum class Purpose : std::uint8_t { admit, settle, other };

// Octets whose pages are made writable ahead of the appends: twice what the last interval took, within these.
inline constexpr std::size_t kPopulateLeast = 16U << 10U;
inline constexpr std::size_t kPopulateMost = 1U << 20U;

struct LogStats {
    std::size_t open = 0;         // admitted, not settled
    std::size_t settle_slots = 0; // settles of the largest size that fit into what is allocated
    std::size_t segments = 0;     // files, spares included
    std::size_t unsynced = 0;     // octets that a power cut would lose
    std::string fault;            // why admits are or will be refused; empty: nothing
};

// Thread-safe. An operation is known by a 64-bit hash of its id: two open ones with the same hash would share one
// settle slot, nothing worse.
class SegmentLog {
  public:
    // Continues after the segments of `recovery`, in a new file. `on_synced` and the thread start with start().
    [[nodiscard]] static std::expected<std::unique_ptr<SegmentLog>, std::string>
    open(std::string directory, LogOptions options, const Recovery& recovery);
    ~SegmentLog();
    SegmentLog(const SegmentLog&) = delete;
    SegmentLog& operator=(const SegmentLog&) = delete;

    void start();
    // Syncs what is left and ends the thread. Appends fail from now on.
    void stop();

    // Safe against SIGKILL on return, against a power cut sync_interval later. Every open operation owns the space of
    // the largest SETTLE, counted here, so the settle of an open operation fails only after stop(); an admit, or
    // anything else, that would touch that space fails with 503 `ledger_unavailable`.
    [[nodiscard]] Result<void> append(Purpose purpose, std::uint64_t id, std::string_view frame);

    // Writes the frames of an open operation again, so that its old segment can go. True also if it has been settled
    // meanwhile; false if there is no room.
    [[nodiscard]] bool carry(std::uint64_t id, std::string_view frames);

    // Makes everything durable that was appended before the call.
    [[nodiscard]] std::expected<void, std::string> sync();

    // Reading, for one consumer.
    struct Cursor {
        std::shared_ptr<Segment> segment;
        std::size_t offset = kSegmentHead;
    };
    [[nodiscard]] Cursor begin() const;
    // To the next segment if this one is read to its end and will not grow; false: nothing more yet.
    [[nodiscard]] bool advance(Cursor& cursor) const;
    // The consumer is through with it: the file goes.
    [[nodiscard]] std::expected<void, std::string> release(const std::shared_ptr<Segment>& segment);

    [[nodiscard]] LogStats stats() const;

  private:
    struct Moved {
        std::shared_ptr<Segment> to;
        std::size_t from = 0; // octets at and after this offset are at the start of `to`
    };
    struct Live {
        std::shared_ptr<Segment> segment;
        bool failed = false; // a sync of it failed: it is never synced again (F44)
        std::optional<Moved> moved;
    };

    SegmentLog(std::string directory, LogOptions options);
    // Settles of the largest size that fit after `octets` more; nothing if those themselves do not fit.
    [[nodiscard]] std::optional<std::size_t> slots_after(std::size_t octets) const;
    [[nodiscard]] bool place(std::size_t octets, std::size_t slots_needed);
    void write(std::string_view frame);
    [[nodiscard]] static Error unavailable();

    void run();
    void cycle();
    [[nodiscard]] bool spare_wanted() const;
    [[nodiscard]] std::expected<void, std::string> make_spare();
    [[nodiscard]] std::expected<void, std::string> sync_one(const std::shared_ptr<Segment>& segment);
    [[nodiscard]] std::expected<void, std::string> replace(const std::shared_ptr<Segment>& failed);
    void populate();
    [[nodiscard]] std::vector<std::shared_ptr<Segment>> to_sync() const;
    [[nodiscard]] std::deque<Live>::iterator find(const Segment* segment);

    const std::string directory_;
    const LogOptions options_;

    std::mutex sync_mutex_; // before mutex_: one sync, replacement or new file at a time
    Sequence last_sequence_ = 0;

    mutable std::mutex mutex_; // everything below
    std::condition_variable wake_;
    std::deque<Live> live_; // in order of events
    std::shared_ptr<Segment> current_;
    std::deque<std::shared_ptr<Segment>> spares_;
    boost::unordered_flat_set<std::uint64_t> open_;
    bool dirty_ = false;
    bool idle_ = false; // the thread waits without a deadline
    bool stopped_ = false;
    std::string refusing_; // durability is not given: no admit is acknowledged
    std::string no_spare_; // why no further file could be made
    std::chrono::steady_clock::time_point next_attempt_{};
    std::size_t populated_from_ = 0;

    std::thread thread_;
};

} // namespace tollgate::policy::ledger
