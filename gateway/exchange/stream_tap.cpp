#include "gateway/exchange/stream_tap.hpp"

#include <algorithm>
#include <array>

namespace tollgate::exchange {
namespace {

bool has(std::string_view text, std::string_view piece) {
    return text.find(piece) != std::string_view::npos;
}

// A member with a non-empty string value: `"content":"` followed by anything but the closing quote.
bool has_text_member(std::string_view data, std::string_view member_and_quote) {
    const std::size_t at = data.find(member_and_quote);
    return at != std::string_view::npos && at + member_and_quote.size() < data.size() &&
           data[at + member_and_quote.size()] != '"';
}

// Carries text, reasoning or a tool call, as opposed to a role-only opener. Both common spellings of the separator.
bool is_content(std::string_view data) {
    static constexpr std::array<std::string_view, 10> kText{
        R"("content":")", R"("content": ")", R"("text":")",      R"("text": ")",     R"("delta":")",
        R"("delta": ")",  R"("refusal":")",  R"("arguments":")", R"("reasoning":")", R"("reasoning_content":")"};
    return has(data, R"("tool_calls":[)") || has(data, R"("tool_calls": [)") ||
           std::ranges::any_of(kText, [&](std::string_view member) { return has_text_member(data, member); });
}

// An event that is an error object; `"error":null` beside other members is none.
bool is_error(std::string_view data) {
    return data.starts_with(R"({"error")") && !data.starts_with(R"({"error":null)") &&
           !data.starts_with(R"({"error": null)");
}

bool is_response_end(std::string_view event) {
    // Unescaped quotes cannot come from a model's text, an event line can only stand at the start of a line.
    const auto named = [&](std::string_view line) {
        return event.starts_with(line) || has(event, "\n" + std::string(line));
    };
    return named("event: response.completed") || named("event: response.failed") ||
           named("event: response.incomplete") || has(event, R"("type":"response.completed")") ||
           has(event, R"("type":"response.failed")") || has(event, R"("type":"response.incomplete")");
}

// A usage member that is not null, or a picture that counts by itself.
bool tells_usage(std::string_view data, api::Operation operation) {
    if (operation == api::Operation::image &&
        (has(data, R"("image_generation.completed")") || has(data, R"("image_edit.completed")")))
        return true;
    static constexpr std::string_view kMember = R"("usage")";
    for (std::size_t at = data.find(kMember); at != std::string_view::npos; at = data.find(kMember, at)) {
        at += kMember.size();
        const std::size_t colon = data.find_first_not_of(" \t\r\n", at);
        if (colon == std::string_view::npos || data[colon] != ':') continue;
        const std::size_t value = data.find_first_not_of(" \t\r\n", colon + 1);
        if (value != std::string_view::npos && !data.substr(value).starts_with("null")) return true;
    }
    return false;
}

} // namespace

bool StreamTap::needs_terminator() const noexcept {
    return operation_ == api::Operation::chat || operation_ == api::Operation::text_completion ||
           operation_ == api::Operation::responses;
}

bool StreamTap::feed(std::string_view octets, TimePoint now, const std::function<void(const TapEvent&)>& on_event) {
    return splitter_.feed(octets, [&](std::string_view whole, std::size_t end) {
        if (stopped_) return;
        TapEvent event{.octets = whole, .data = {}, .end = end};
        observe(event, now);
        if (on_event) on_event(event);
    });
}

void StreamTap::observe(TapEvent& event, TimePoint now) {
    if (first_token_) max_gap_ = std::max(max_gap_.value_or(Duration::zero()), now - last_);
    last_ = now;
    event.data = http::sse_data(event.octets, scratch_);
    const std::string_view data = event.data;
    if (data.empty()) return;
    if (data.starts_with("[DONE]")) {
        terminated_ = true;
        return;
    }
    if (!first_token_ && is_content(data)) first_token_ = now - started_;
    if (is_error(data) || event.octets.starts_with("event: error")) error_seen_ = true;
    if (operation_ == api::Operation::responses && is_response_end(event.octets)) terminated_ = true;
    metering_.delivered.observe(data);
    if (tells_usage(data, operation_)) read_usage(event);
}

void StreamTap::read_usage(TapEvent& event) {
    const auto answer = reader_.read(event.data, api::Operation::other);
    if (!answer) return;
    metering_.named.note(*answer);
    api::merge_report(metering_.report, answer->usage);
    event.usage_only = answer->no_choices && (answer->usage.reported() || answer->usage.refused);
}

} // namespace tollgate::exchange
