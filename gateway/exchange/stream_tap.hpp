// Watches an event stream go by: when the first token came, how long it was silent, what it used, whether it ended as
// its dialect says. Sans-I/O; changes nothing.
#pragma once

#include "gateway/api/answer_view.hpp"
#include "gateway/base/time.hpp"
#include "gateway/http/sse.hpp"

#include <functional>
#include <optional>
#include <string_view>

namespace tollgate::exchange {

class StreamTap {
  public:
    StreamTap(api::Operation operation, api::AnswerReader& reader, TimePoint started)
        : operation_(operation), reader_(reader), started_(started), last_(started) {}

    // False if an event is larger than the cap. `on_event` (may be empty) gets every complete event.
    [[nodiscard]] bool feed(std::string_view octets, TimePoint now,
                            const std::function<void(std::string_view)>& on_event = {});

    // The dialect's own end was seen: `[DONE]`, or a response's terminal event.
    [[nodiscard]] bool terminated() const noexcept { return terminated_; }
    // This dialect has such an end, so that its absence means truncation.
    [[nodiscard]] bool needs_terminator() const noexcept;
    [[nodiscard]] bool error_seen() const noexcept { return error_seen_; }
    [[nodiscard]] bool mid_event() const noexcept { return splitter_.mid_event(); }
    [[nodiscard]] std::optional<Duration> first_token() const noexcept { return first_token_; }
    [[nodiscard]] std::optional<Duration> max_gap() const noexcept { return max_gap_; }
    [[nodiscard]] const api::Usage& usage() const noexcept { return usage_; }

  private:
    void observe(std::string_view event, TimePoint now);

    api::Operation operation_;
    api::AnswerReader& reader_;
    TimePoint started_;
    TimePoint last_;
    http::SseSplitter splitter_;
    std::string scratch_;
    api::Usage usage_;
    std::optional<Duration> first_token_, max_gap_;
    bool terminated_ = false;
    bool error_seen_ = false;
};

} // namespace tollgate::exchange
