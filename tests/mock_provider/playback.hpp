#pragma once

#include "tests/mock_provider/behaviour.hpp"
#include "tests/mock_provider/reply.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace tollgate::mock {

/// One answer on its way out: turns a Reply into octets, bent as its Behaviour asks.
class Playback {
  public:
    enum class End { kKeepOpen, kClose, kReset, kHang };

    Playback() = default;

    /// Times in ns of CLOCK_MONOTONIC.
    void start(Reply reply, const Behaviour& behaviour, bool keep_alive, std::int64_t now);

    /// An answer that was prepared before, from the octet on that could not be sent at once.
    void resume(std::string_view octets, const Usage& usage);

    /// `fill` has to wait for this time; 0: it need not.
    std::int64_t not_before() const { return not_before_; }

    /// Makes the next octets, if there are any; only after everything made so far was sent.
    bool fill(std::int64_t now);
    /// Octets that `fill` made and nobody sent yet.
    std::string_view pending() const { return filled_ ? std::string_view{out_}.substr(sent_) : std::string_view{}; }
    void sent(std::size_t count) { sent_ += count; }
    bool streaming() const { return streaming_; }
    bool trickles() const { return trickle_; }
    bool successful() const { return successful_; }
    /// Events in the octets that the last `fill` made.
    std::uint64_t events_filled() const { return events_filled_; }
    std::uint64_t events_total() const { return events_total_; }
    const Usage& usage() const { return usage_; }
    End end() const { return end_; }

    /// Everything that this answer will ever send, if it can be told now.
    bool complete() const { return !events_; }

  private:
    void compose_head(const Reply& reply, const Behaviour& behaviour, bool keep_alive);
    void compose_body(std::string body, const Behaviour& behaviour);
    void pull_events(std::int64_t now);
    void append_event(std::string_view event);
    void break_stream();
    void finish_stream();

    void reset();

    std::string out_;
    std::size_t sent_ = 0;
    bool filled_ = false; // the head waits in out_ for the first event: they leave in one write
    std::string event_;   // scratch
    std::unique_ptr<EventSource> events_;
    std::string_view error_event_;
    std::int64_t not_before_ = 0;
    std::int64_t pace_ns_ = 0;
    std::uint64_t events_filled_ = 0;
    std::uint64_t events_total_ = 0;
    std::uint64_t after_n_ = 0;
    After after_ = After::kNone;
    Usage usage_;
    End end_ = End::kKeepOpen;
    bool chunked_ = false;
    bool streaming_ = false;
    bool trickle_ = false;
    bool extra_ = false;
    bool successful_ = false;
};

} // namespace tollgate::mock
