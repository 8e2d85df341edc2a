#include "gateway/api/replay/fitness.hpp"

#include "gateway/api/replay/json_text.hpp"

namespace tollgate::api::replay {
namespace {

bool has_text(const Value& value) noexcept {
    return value.is_string() && !value.inner().empty();
}

bool has_elements(const Value& value) {
    return value.is_array() && Elements(value).next().has_value();
}

bool is_type(const Members& members, std::string_view quoted) noexcept {
    return find(members, "type").text == quoted;
}

// The arguments of a call to a function: one JSON value in a string.
bool arguments_whole(const Value& call) {
    const auto members = members_of(call);
    const Value arguments = members ? find(*members, "arguments") : Value{};
    return arguments.is_string() && read_value(unescape(arguments.inner())).has_value();
}

std::string_view check_calls(const Value& calls) {
    Elements elements(calls);
    while (const auto call = elements.next()) {
        const auto members = members_of(*call);
        if (!members) return "unreadable";
        const Value function = find(*members, "function");
        if (!function.is_null() && !arguments_whole(function)) return "arguments";
    }
    return {};
}

std::string_view check_message(const Value& message) {
    const auto members = members_of(message);
    if (!members) return "unreadable";
    const Value calls = find(*members, "tool_calls"), call = find(*members, "function_call");
    const Value content = find(*members, "content");
    if (call.is_object() && !arguments_whole(call)) return "arguments";
    if (has_elements(calls)) return check_calls(calls);
    const bool says = has_text(content) || has_elements(content) || has_text(find(*members, "refusal")) ||
                      call.is_object() || find(*members, "audio").is_object();
    return says ? std::string_view() : "empty";
}

std::string_view check_reason(const Value& reason, bool limited) {
    if (reason.is_null()) return "incomplete";
    if (reason.text == R"("length")") return limited ? std::string_view() : "length";
    if (reason.text == R"("stop")" || reason.text == R"("tool_calls")" || reason.text == R"("function_call")")
        return {};
    return "content_filter"; // said, or a reason we do not know
}

std::string_view check_choices(Dialect dialect, const Members& answer, bool limited) {
    const Value choices = find(answer, "choices");
    if (!has_elements(choices)) return "incomplete";
    Elements elements(choices);
    while (const auto element = elements.next()) {
        const auto choice = members_of(*element);
        if (!choice) return "unreadable";
        if (const auto why = check_reason(find(*choice, "finish_reason"), limited); !why.empty()) return why;
        if (dialect == Dialect::completion) {
            if (!has_text(find(*choice, "text"))) return "empty";
        } else if (const auto why = check_message(find(*choice, "message")); !why.empty()) {
            return why;
        }
    }
    return {};
}

bool says_something(const Value& content) {
    if (!content.is_array()) return false;
    Elements elements(content);
    while (const auto element = elements.next()) {
        const auto part = members_of(*element);
        if (part && (has_text(find(*part, "text")) || has_text(find(*part, "refusal")))) return true;
    }
    return false;
}

std::string_view check_output(const Value& output) {
    if (!output.is_array()) return "incomplete";
    bool says = false;
    Elements elements(output);
    while (const auto element = elements.next()) {
        const auto item = members_of(*element);
        if (!item) return "unreadable";
        const Value status = find(*item, "status");
        if (!status.is_null() && status.text != R"("completed")") return "incomplete";
        if (is_type(*item, R"("function_call")") && !arguments_whole(*element)) return "arguments";
        if (is_type(*item, R"("message")"))
            says = says || says_something(find(*item, "content"));
        else
            says = says || !is_type(*item, R"("reasoning")");
    }
    return says ? std::string_view() : "empty";
}

// An answer that a maximum cut short has the status `incomplete`; its items may have it too.
std::string_view check_response(const Members& answer, bool limited) {
    const Value status = find(answer, "status");
    if (status.text == R"("completed")") return check_output(find(answer, "output"));
    if (status.text != R"("incomplete")") return "incomplete";
    const auto details = members_of(find(answer, "incomplete_details"));
    if (!details || find(*details, "reason").text != R"("max_output_tokens")") return "content_filter";
    return limited ? std::string_view() : "length";
}

} // namespace

std::string_view unfit(Dialect dialect, std::string_view answer, bool limited) {
    const auto whole = unread_object(answer); // each member is read below
    const auto members = whole ? members_of(*whole) : std::nullopt;
    if (!members) return "unreadable";
    if (!find(*members, "error").is_null()) return "error";
    return dialect == Dialect::response ? check_response(*members, limited) : check_choices(dialect, *members, limited);
}

} // namespace tollgate::api::replay
