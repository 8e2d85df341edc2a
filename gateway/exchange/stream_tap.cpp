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

} // namespace

bool StreamTap::needs_terminator() const noexcept {
    return operation_ == api::Operation::chat || operation_ == api::Operation::text_completion ||
           operation_ == api::Operation::responses;
}

bool StreamTap::feed(std::string_view octets, TimePoint now, const std::function<void(std::string_view)>& on_event) {
    return splitter_.feed(octets, [&](std::string_view event) {
        observe(event, now);
        if (on_event) on_event(event);
    });
}

void StreamTap::observe(std::string_view event, TimePoint now) {
    if (first_token_) max_gap_ = std::max(max_gap_.value_or(Duration::zero()), now - last_);
    last_ = now;
    const std::string_view data = http::sse_data(event, scratch_);
    if (data.empty()) return;
    if (data.starts_with("[DONE]")) {
        terminated_ = true;
        return;
    }
    if (!first_token_ && is_content(data)) first_token_ = now - started_;
    if (is_error(data) || event.starts_with("event: error")) error_seen_ = true;
    if (operation_ == api::Operation::responses && is_response_end(event)) terminated_ = true;
    if (!has(data, R"("usage":{)") && !has(data, R"("usage": {)")) return;
    if (const auto answer = reader_.read(data, api::Operation::other)) usage_ = answer->usage;
}

} // namespace tollgate::exchange
