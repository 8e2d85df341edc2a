#include "gateway/api/chat_answer.hpp"

namespace tollgate::api {
namespace {

namespace json = boost::json;

json::string_view key(std::string_view name) noexcept {
    return {name.data(), name.size()};
}

std::string legacy_id(const json::object& chat) {
    static constexpr std::string_view kChat = "chatcmpl-";
    const json::value* id = chat.if_contains("id");
    if (id == nullptr || !id->is_string()) return "cmpl-unknown";
    std::string_view text(id->get_string().data(), id->get_string().size());
    if (text.starts_with(kChat)) text.remove_prefix(kChat.size());
    return "cmpl-" + std::string(text);
}

void append_text(json::string& out, const json::value& content) {
    if (const json::string* text = content.if_string()) {
        out.append(*text);
    } else if (const json::array* parts = content.if_array()) { // some providers answer in typed parts
        for (const json::value& part : *parts) {
            const json::object* object = part.if_object();
            const json::value* inner = object == nullptr ? nullptr : object->if_contains("text");
            if (inner != nullptr && inner->is_string()) out.append(inner->get_string());
        }
    }
}

json::string text_of(const json::object& message, json::storage_ptr memory) {
    json::string out(std::move(memory));
    if (const json::value* content = message.if_contains("content")) append_text(out, *content);
    if (const json::value* refusal = message.if_contains("refusal"); refusal != nullptr && out.empty())
        append_text(out, *refusal);
    return out;
}

json::value legacy_reason(const json::object& choice) {
    const json::value* reason = choice.if_contains("finish_reason");
    if (reason == nullptr || !reason->is_string()) return nullptr;
    if (*reason == "tool_calls" || *reason == "function_call") return "stop";
    return *reason;
}

// Takes one line off `text` without its end.
std::string_view take_line(std::string_view& text) noexcept {
    const std::size_t end = text.find_first_of("\r\n");
    const std::string_view line = text.substr(0, end);
    if (end == std::string_view::npos) {
        text = {};
    } else {
        text.remove_prefix(end + (text.substr(end).starts_with("\r\n") ? 2 : 1));
    }
    return line;
}

} // namespace

Error bad_chat_answer(std::string message) {
    Error error;
    error.type = ErrorType::provider_bad_response;
    error.status = 502;
    error.message = std::move(message);
    return error;
}

json::object convert_envelope(json::object& chat, std::string_view public_model) {
    json::object out(chat.storage());
    out["id"] = legacy_id(chat);
    out["object"] = "text_completion";
    const json::value* created = chat.if_contains("created");
    out["created"] = created != nullptr && created->is_number() ? *created : json::value(0);
    out["model"] = key(public_model);
    out["choices"] = nullptr; // keeps the customary order of members
    for (const json::string_view name : {"usage", "service_tier", "system_fingerprint"}) {
        if (json::value* value = chat.if_contains(name)) out[name] = std::move(*value);
    }
    return out;
}

std::optional<LegacyChoice> convert_choice(json::value& choice, std::string_view part) {
    const json::object* source = choice.if_object();
    if (source == nullptr) return std::nullopt;
    const json::value* message = source->if_contains(key(part));
    json::string text(choice.storage());
    if (message != nullptr && message->is_object()) text = text_of(message->get_object(), choice.storage());
    json::value reason = legacy_reason(*source);
    LegacyChoice out;
    out.tells_something = !text.empty() || !reason.is_null();
    json::object converted(choice.storage());
    converted["text"] = std::move(text);
    const json::value* index = source->if_contains("index");
    converted["index"] = index != nullptr && index->is_number() ? *index : json::value(0);
    converted["logprobs"] = nullptr;
    converted["finish_reason"] = std::move(reason);
    out.value = std::move(converted);
    return out;
}

SseEvent take_sse_event(std::string_view& text) {
    SseEvent out;
    const std::string_view start = text;
    while (!text.empty()) {
        const std::string_view line = take_line(text);
        if (line.empty()) break;
        if (line.front() == ':') {
            out.comments += line;
            out.comments += '\n';
            continue;
        }
        const std::size_t colon = line.find(':');
        if (line.substr(0, colon) != "data") continue;
        std::string_view value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
        if (value.starts_with(' ')) value.remove_prefix(1);
        if (out.has_data) out.data += '\n';
        out.data += value;
        out.has_data = true;
    }
    out.original = start.substr(0, start.size() - text.size());
    return out;
}

} // namespace tollgate::api
