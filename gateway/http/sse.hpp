// Server-sent events cut out of an octet stream, sans-I/O: any segmentation gives the same events (case 307).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

namespace tollgate::http {

inline constexpr std::size_t kMaxSseEvent = 1024 * 1024;

// Finds where events end: a blank line, with LF, CR or CRLF line ends in any mixture (WHATWG HTML §9.2.6).
class SseSplitter {
  public:
    // Calls on_event(std::string_view) for every event completed by `octets`, with its blank line. The byte order mark
    // that a stream may begin with, and empty lines between events, are left out. False once an event exceeds
    // kMaxSseEvent: the stream must be abandoned.
    // One that takes a second argument is told how many of `octets` are behind it with this event.
    template <class OnEvent>
    [[nodiscard]] bool feed(std::string_view octets, OnEvent&& on_event) {
        const std::size_t all = octets.size();
        while (!octets.empty()) {
            if (!in_event_ && (octets.front() == '\n' || octets.front() == '\r')) {
                octets.remove_prefix(1);
                continue;
            }
            const std::size_t n = scan(octets);
            if (pending_.size() + n > kMaxSseEvent) return false;
            const bool whole = pending_.empty() && complete_;
            if (!whole) pending_.append(octets.substr(0, n));
            if (complete_) {
                const auto event = without_mark(whole ? octets.substr(0, n) : std::string_view(pending_));
                const std::size_t end = all - octets.size() + n;
                if constexpr (std::is_invocable_v<OnEvent, std::string_view, std::size_t>) {
                    if (!event.empty()) on_event(event, end);
                } else {
                    if (!event.empty()) on_event(event);
                }
                pending_.clear();
            }
            octets.remove_prefix(n);
        }
        return true;
    }
    // Octets of an unfinished event are waiting.
    [[nodiscard]] bool mid_event() const noexcept { return !pending_.empty(); }

  private:
    // Length of the octets up to and including the end of the current event, or all of them; sets complete_.
    std::size_t scan(std::string_view octets) noexcept;
    std::string_view without_mark(std::string_view event) noexcept;

    std::string pending_;
    bool first_ = true;      // no event was completed yet
    bool in_event_ = false;  // the current event has a non-empty line
    bool line_empty_ = true; // nothing on the current line yet
    bool after_cr_ = false;  // a following LF belongs to the same line end
    bool crlf_ = false;      // the last line ended in CRLF, so a blank line that begins with CR will too
    bool closing_ = false;   // the blank line's CR was seen, its LF belongs to it
    bool complete_ = false;
};

// The event's data: its data lines joined with LF. A single line is returned as a view into `event`.
[[nodiscard]] std::string_view sse_data(std::string_view event, std::string& scratch);

} // namespace tollgate::http
