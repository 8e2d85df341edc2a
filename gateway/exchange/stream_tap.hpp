// Watches an event stream go by: when the first token came, how long it was silent, what it used, whether it ended as
// its dialect says. Sans-I/O; changes nothing.
#pragma once

#include "gateway/api/answer_view.hpp"
#include "gateway/base/time.hpp"
#include "gateway/exchange/metering.hpp"
#include "gateway/http/sse.hpp"

#include <functional>
#include <optional>
#include <string_view>

namespace tollgate::exchange {

struct TapEvent {
    std::string_view octets; // with its blank line
    std::string_view data;
    std::size_t end = 0;     // where it ends in the piece that completed it
    bool usage_only = false; // a chunk without choices that tells the usage
};

class StreamTap {
  public:
    // Reports and delivered text go into `metering`, which outlives this.
    StreamTap(api::Operation operation, api::AnswerReader& reader, TimePoint started, Metering& metering)
        : operation_(operation), reader_(reader), metering_(metering), started_(started), last_(started) {}

    // False if an event is larger than the cap. `on_event` (may be empty) gets every complete event.
    [[nodiscard]] bool feed(std::string_view octets, TimePoint now,
                            const std::function<void(const TapEvent&)>& on_event = {});

    // Events after the one that is being told are not looked at any more.
    void stop() noexcept { stopped_ = true; }

    // The dialect's own end was seen: `[DONE]`, or a response's terminal event.
    [[nodiscard]] bool terminated() const noexcept { return terminated_; }
    // This dialect has such an end, so that its absence means truncation.
    [[nodiscard]] bool needs_terminator() const noexcept;
    [[nodiscard]] bool error_seen() const noexcept { return error_seen_; }
    [[nodiscard]] bool mid_event() const noexcept { return splitter_.mid_event(); }
    [[nodiscard]] std::optional<Duration> first_token() const noexcept { return first_token_; }
    [[nodiscard]] std::optional<Duration> max_gap() const noexcept { return max_gap_; }

  private:
    void observe(TapEvent& event, TimePoint now);
    void read_usage(TapEvent& event);

    api::Operation operation_;
    api::AnswerReader& reader_;
    Metering& metering_;
    TimePoint started_;
    TimePoint last_;
    http::SseSplitter splitter_;
    std::string scratch_;
    std::optional<Duration> first_token_, max_gap_;
    bool terminated_ = false;
    bool error_seen_ = false;
    bool stopped_ = false;
};

} // namespace tollgate::exchange
