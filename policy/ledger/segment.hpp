// One file of the ledger: preallocated, mapped, only ever appended to.
//
// Page 0 is the head: what the file is, then three counters on cache lines of their own. Frames follow. The head says
// how far the file was `used` (everything below was acknowledged), `synced` (survives a power cut) and `consumed` (is
// in SQLite for good). They are hints with known errors: after a power cut each of them may be too small, never too
// large, and a `consumed` that was torn or altered reads as zero.
//
// Preallocation rules out SIGBUS for want of space. A file system that turns read-only under us, or copies on write
// (btrfs, ZFS), keeps no such promise: there the process can die on a write, and the next start says what is wrong.
#pragma once

#include "policy/ledger/record.hpp"
#include "policy/store_files.hpp"

#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace tollgate::policy::ledger {

// Position of a segment in the ledger. A segment that replaces the end of a failed one gets the next number, others
// the next multiple of kSequenceStep, so the order of numbers is the order of events.
using Sequence = std::uint64_t;
inline constexpr Sequence kSequenceStep = 1U << 16;

inline constexpr std::size_t kSegmentHead = 4'096;
inline constexpr std::size_t kMinSegment = kSegmentHead + 4 * kMaxFrame;

// "segment-0000000000010000.log"
[[nodiscard]] std::string segment_name(Sequence sequence);

// append() belongs to one thread at a time (the caller's mutex); everything else may be called by any thread, and reads
// what append() has published. Offsets count octets from the start of the file.
class Segment {
  public:
    template <class T>
    using Result = std::expected<T, std::string>;

    // A new file of `size` octets, all of them allocated on the disk, so that writing to the mapping cannot run out of
    // space. Made beside and renamed: a file that has its name is complete. `size` ≥ kMinSegment.
    [[nodiscard]] static Result<std::shared_ptr<Segment>> create(const std::string& directory, Sequence sequence,
                                                                 std::size_t size);
    // An existing file of any content. The error names the file.
    [[nodiscard]] static Result<std::shared_ptr<Segment>> open(const std::string& file);
    // The same beside its writer, of whatever process: only what is const may be called.
    [[nodiscard]] static Result<std::shared_ptr<const Segment>> open_reading(const std::string& file);
    ~Segment();
    Segment(const Segment&) = delete;
    Segment& operator=(const Segment&) = delete;

    [[nodiscard]] const std::string& file() const { return file_; }
    [[nodiscard]] Sequence sequence() const { return sequence_; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] int fd() const { return fd_.get(); }

    // Octets left for frames.
    [[nodiscard]] std::size_t room() const;
    // Copies the frame and publishes it; it is safe against SIGKILL on return. frame.size() ≤ room().
    void append(std::string_view frame);

    [[nodiscard]] std::size_t used() const;
    [[nodiscard]] std::size_t synced() const; // ≤ used()
    [[nodiscard]] std::size_t consumed() const;
    // What the head says, also where the file is shorter than that: it was truncated.
    [[nodiscard]] std::size_t claimed_used() const;
    [[nodiscard]] std::size_t claimed_synced() const;
    void set_synced(std::size_t offset);
    void set_consumed(std::size_t offset);
    // Forgets what lies at and after the offset: a torn tail.
    void cut(std::size_t offset);

    // The file's octets in [from, to); to ≤ size(). Valid as long as the segment.
    [[nodiscard]] std::string_view octets(std::size_t from, std::size_t to) const;

    // Asks the kernel for the pages in [from, to) ahead of append(), so that it meets no page fault; best effort.
    void populate(std::size_t from, std::size_t to);
    // Removes the file; the mapping lives on.
    [[nodiscard]] Result<void> remove();

  private:
    [[nodiscard]] static Result<std::shared_ptr<Segment>> attach(const std::string& file, int access, int protection);
    Segment(std::string file, Fd fd, char* data, std::size_t size, Sequence sequence);
    [[nodiscard]] std::atomic_ref<std::uint64_t> counter(std::size_t at) const;

    std::string file_;
    Fd fd_;
    char* data_;
    std::size_t size_;
    Sequence sequence_;
};

// Makes renames and removals in the directory survive a power cut.
[[nodiscard]] std::expected<void, std::string> sync_directory(const std::string& directory);

} // namespace tollgate::policy::ledger
