#include "gateway/api/completions_via_chat.hpp"

#include "gateway/api/chat_answer.hpp"
#include "gateway/api/json_precheck.hpp"
#include "gateway/api/json_value.hpp"

#include <boost/json.hpp>

namespace tollgate::api {
namespace {

namespace json = boost::json;

constexpr std::int64_t kLegacyMaxTokens = 16; // what the legacy API does without max_tokens (api-surface §6.3)

std::unexpected<Error> unsupported(std::string_view param, std::string why) {
    return fail(invalid_request("unsupported_parameter", std::move(why), param));
}

bool is_zero_or_one(const json::value& value) {
    return value.is_null() || (value.is_int64() && value.get_int64() >= 0 && value.get_int64() <= 1);
}

// Parameters that mean something no chat model can do; their harmless values are dropped.
Result<void> drop_untranslatable(json::object& request) {
    const auto drop = [&](json::string_view name, auto harmless) {
        const json::value* value = request.if_contains(name);
        if (value == nullptr) return true;
        if (!harmless(*value)) return false;
        request.erase(name);
        return true;
    };
    const auto absent = [](const json::value& value) { return value.is_null(); };
    const auto off = [](const json::value& value) { return value.is_null() || value == false; };
    const auto empty = [](const json::value& value) {
        return value.is_null() || (value.is_string() && value.get_string().empty());
    };
    if (!drop("suffix", empty))
        return unsupported("suffix", "`suffix` is not available: a chat model serves this name.");
    if (!drop("best_of", is_zero_or_one))
        return unsupported("best_of", "`best_of` above 1 is not available: a chat model serves this name.");
    if (!drop("echo", off)) return unsupported("echo", "`echo` is not available: a chat model serves this name.");
    if (!drop("logprobs", off))
        return unsupported("logprobs", "`logprobs` is not available: a chat model serves this name.");
    if (!drop("messages", absent))
        return unsupported("messages", "`messages` belongs to /v1/chat/completions; send `prompt` here.");
    return {};
}

// One string, or an array of one string.
Result<json::string> take_prompt(json::object& request) {
    json::value* prompt = request.if_contains("prompt");
    if (prompt == nullptr || prompt->is_null())
        return fail(invalid_request("missing_required_parameter", "`prompt` is required.", "prompt"));
    if (json::array* several = prompt->if_array()) {
        if (several->size() != 1 || !several->front().is_string())
            return unsupported("prompt", "`prompt` must be one string: a chat model serves this name, so several "
                                         "prompts and token ids are not available.");
        prompt = &several->front();
    }
    if (!prompt->is_string()) return fail(invalid_request("invalid_type", "`prompt` must be a string.", "prompt"));
    json::string text = std::move(prompt->get_string());
    request.erase("prompt");
    return text;
}

} // namespace

Result<std::string> completions_to_chat_request(std::string_view body, std::string_view upstream_model) {
    json::monotonic_resource memory;
    auto root = parse_value(body, &memory);
    if (!root || !root->is_object()) return fail(invalid_request("invalid_json", "The body is not a JSON object."));
    json::object& request = root->get_object();
    if (auto dropped = drop_untranslatable(request); !dropped) return fail(std::move(dropped.error()));
    auto prompt = take_prompt(request);
    if (!prompt) return fail(std::move(prompt.error()));
    json::object message(&memory);
    message["role"] = "user";
    message["content"] = std::move(*prompt);
    request["messages"] = json::array({std::move(message)}, &memory);
    request["model"] = json::string_view(upstream_model.data(), upstream_model.size());
    json::value& limit = request["max_tokens"];
    if (limit.is_null()) limit = kLegacyMaxTokens;
    return json::serialize(request);
}

Result<std::string> chat_to_completions_answer(std::string_view body, std::string_view public_model) {
    json::monotonic_resource memory;
    auto root = parse_value(body, &memory);
    json::object* chat = root ? root->if_object() : nullptr;
    if (chat == nullptr || !chat->contains("choices") || !chat->at("choices").is_array())
        return fail(bad_chat_answer("The provider's answer is not a chat completion."));
    json::object out = convert_envelope(*chat, public_model);
    json::array choices(&memory);
    for (json::value& choice : chat->at("choices").get_array()) {
        if (auto converted = convert_choice(choice, "message")) choices.push_back(std::move(converted->value));
    }
    out["choices"] = std::move(choices);
    return json::serialize(out);
}

struct ChatStreamToCompletions::Impl {
    std::string public_model;

    // One event's data, already joined. Appends nothing for an event that has no counterpart.
    Result<void> convert(std::string_view data, std::string_view original, std::string& out) const {
        if (data.starts_with("[DONE]")) {
            out += "data: [DONE]\n\n";
            return {};
        }
        json::monotonic_resource memory;
        auto root = parse_value(data, &memory);
        json::object* chunk = root ? root->if_object() : nullptr;
        if (chunk == nullptr) return fail(bad_chat_answer("The provider sent a stream event that is not JSON."));
        if (const json::value* error = chunk->if_contains("error"); error != nullptr && !error->is_null()) {
            out += original;
            return {};
        }
        return convert_chunk(*chunk, out);
    }

    Result<void> convert_chunk(json::object& chunk, std::string& out) const {
        json::value* list = chunk.if_contains("choices");
        const json::value* usage = chunk.if_contains("usage");
        json::array choices(chunk.storage());
        if (list != nullptr && list->is_array()) {
            for (json::value& choice : list->get_array()) {
                auto converted = convert_choice(choice, "delta");
                if (converted && converted->tells_something) choices.push_back(std::move(converted->value));
            }
        }
        if (choices.empty() && (usage == nullptr || usage->is_null())) return {};
        json::object converted = convert_envelope(chunk, public_model);
        converted["choices"] = std::move(choices);
        out += "data: ";
        out += json::serialize(converted);
        out += "\n\n";
        return {};
    }
};

ChatStreamToCompletions::ChatStreamToCompletions(std::string public_model)
    : impl_(std::make_unique<Impl>(std::move(public_model))) {}
ChatStreamToCompletions::~ChatStreamToCompletions() = default;

Result<std::string> ChatStreamToCompletions::event(std::string_view event) {
    std::string out;
    while (!event.empty()) {
        const SseEvent next = take_sse_event(event);
        out += next.comments;
        const std::size_t told = out.size();
        if (next.has_data) {
            if (auto converted = impl_->convert(next.data, next.original, out); !converted)
                return fail(std::move(converted.error()));
        }
        if (out.size() == told && !next.comments.empty()) out += '\n';
    }
    return out;
}

} // namespace tollgate::api
