// What a start finds in the ledger's segments: the operations that were admitted and never settled, and the damage.
#pragma once

#include "policy/ledger/record.hpp"
#include "policy/ledger/segment.hpp"

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tollgate::policy::ledger {

// A record with memory of its own. Moving it keeps the views valid.
template <class R>
class Kept {
  public:
    // `frame` must be a valid frame of an R.
    explicit Kept(std::string_view frame) : octets_(std::make_unique<std::string>(frame)) {
        if (const std::optional<Record> decoded = decode(*octets_)) {
            if (const R* const found = std::get_if<R>(&*decoded)) record_ = *found;
        }
    }
    [[nodiscard]] const R& record() const { return record_; }
    [[nodiscard]] std::string_view frame() const { return *octets_; }

  private:
    std::unique_ptr<const std::string> octets_; // not the string itself: short ones move their octets
    R record_;
};

// Admitted, not settled.
struct OpenOperation {
    Kept<Admit> admit;
    std::optional<Kept<Progress>> progress; // the latest
};

// How an operation ends whose end nobody saw (design §9): charged at its last progress (`estimated`), else at its full
// reserve with unknown tokens; outcome "unknown". `now_us`: wall time. Views point into `operation`. Pure.
[[nodiscard]] Settle settle_unknown(const OpenOperation& operation, std::int64_t now_us) noexcept;

struct Damage {
    std::string file;
    std::size_t offset = 0; // of the first octet that is not right
    std::size_t octets = 0; // from there to where the file was used
    std::string text;       // a sentence that names both
};

// What the frames of one segment are.
struct Examination {
    std::size_t end = 0;      // of the valid prefix
    std::size_t frames = 0;   // in the prefix
    std::size_t lost = 0;     // octets between the prefix and where the file was used
    bool valid_after = false; // a whole frame lies behind the first bad one
};
// Calls `visit(frame, offset)` for every frame of the valid prefix. Frames behind `used`, whole but never acknowledged,
// belong to it: after a power cut the head may be older than the frames.
[[nodiscard]] Examination examine(const Segment& segment,
                                  const std::function<void(std::string_view, std::size_t)>& visit);

// The segments of the directory by sequence; nothing in it is changed. Errors name the file.
[[nodiscard]] std::expected<std::vector<std::shared_ptr<Segment>>, std::string>
open_segments(const std::string& directory);

struct Recovery {
    std::vector<std::shared_ptr<Segment>> segments; // in order; those without a record were removed
    std::vector<OpenOperation> open;                // in order of admission
    std::vector<Damage> cuts;                       // torn tails that were cut
    std::size_t records = 0;
};

// Reads everything and cuts a torn tail: what was being written when the process or the machine died. Damage anywhere
// else (F48: whole records or later segments follow it) refuses the start, names file and offset, and changes nothing.
// The one exception is the part that had not reached the disk when the power went: there only the prefix counts.
// Running it again gives the same.
[[nodiscard]] std::expected<Recovery, std::string> recover(const std::string& directory);

} // namespace tollgate::policy::ledger
