#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace tollgate::mock {

struct Usage {
    std::uint64_t prompt = 0;
    std::uint64_t completion = 0;
    std::uint64_t cached = 0;    // part of prompt
    std::uint64_t reasoning = 0; // part of completion
    std::int64_t fault = 0;      // told in place of every figure, if it is not 0
    std::uint64_t total() const { return prompt + completion; }
    std::int64_t told(std::uint64_t tokens) const { return fault != 0 ? fault : static_cast<std::int64_t>(tokens); }
};

/// Makes the events of one stream as they are sent, so that a long stream costs no memory.
class EventSource {
  public:
    EventSource() = default;
    EventSource(const EventSource&) = delete;
    EventSource& operator=(const EventSource&) = delete;
    virtual ~EventSource() = default;

    /// kTail: this event and all that follow it leave in one write.
    enum class Next { kEvent, kTail, kEnd };

    /// Appends one event with its blank line to `out`.
    virtual Next next(std::string& out) = 0;
};

/// An answer, before it is put on the wire.
struct Reply {
    unsigned status = 200;
    std::string_view content_type = "application/json";
    std::string headers; // whole lines, with their line ends
    std::string body;
    std::unique_ptr<EventSource> events; // instead of body
    std::string_view error_event;        // what `error-after` sends into this stream
    Usage usage;
    bool head = false;       // answers HEAD: the body is counted and not sent
    bool repeatable = false; // an identical request gets the identical answer
};

/// OpenAI's error object for `status`, with the headers that belong to it.
Reply error_reply(unsigned status, std::string_view message = {}, std::string_view code = {});

} // namespace tollgate::mock
