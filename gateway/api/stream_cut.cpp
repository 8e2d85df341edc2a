#include "gateway/api/stream_cut.hpp"

#include "gateway/api/json_value.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <map>
#include <optional>

namespace tollgate::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostChoices = 128;
constexpr std::size_t kMostItems = 256;
constexpr std::size_t kMostText = std::size_t{1024} * 1024;
constexpr std::size_t kMostKept = std::size_t{64} * 1024; // of one object that is repeated

json::string_view view(std::string_view text) {
    return {text.data(), text.size()};
}

std::optional<json::object> object_of(std::string_view data) {
    auto value = parse_value(data, {});
    if (!value || !value->is_object()) return std::nullopt;
    return std::move(value->get_object());
}

std::string_view text_in(const json::object& object, std::string_view name) {
    const json::value* const value = object.if_contains(view(name));
    if (value == nullptr || !value->is_string()) return {};
    return {value->get_string().data(), value->get_string().size()};
}

std::optional<std::uint64_t> count_in(const json::object& object, std::string_view name) {
    const json::value* const value = object.if_contains(view(name));
    if (value == nullptr || !value->is_int64() || value->get_int64() < 0) return std::nullopt;
    return static_cast<std::uint64_t>(value->get_int64());
}

bool has(std::string_view text, std::string_view piece) {
    return text.find(piece) != std::string_view::npos;
}

std::string chunk(const json::object& object) {
    return "data: " + json::serialize(object) + "\n\n";
}

json::object stop_of(std::string_view why) {
    return {{"stop", view(why)}};
}

} // namespace

struct StreamCut::Chunks {
    Chunks(bool chat, std::uint64_t choices)
        : is_chat(chat), count(std::clamp<std::uint64_t>(choices, 1, kMostChoices)) {}

    void observe(std::string_view data) {
        const bool ends = has(data, R"("finish_reason":")") || has(data, R"("finish_reason": ")");
        if (!envelope.empty() && !ends) return;
        auto event = object_of(data);
        if (!event) return;
        if (ends) note_ends(*event);
        if (!envelope.empty() || data.size() > kMostKept) return;
        for (const std::string_view name : {"id", "object", "created", "model", "system_fingerprint"}) {
            if (json::value* const value = event->if_contains(view(name))) envelope[view(name)] = std::move(*value);
        }
    }

    void note_ends(const json::object& event) {
        const json::value* const choices = event.if_contains("choices");
        if (choices == nullptr || !choices->is_array()) return;
        for (const json::value& choice : choices->get_array()) {
            const json::object* const object = choice.if_object();
            if (object == nullptr || text_in(*object, "finish_reason").empty()) continue;
            const std::uint64_t index = count_in(*object, "index").value_or(0);
            if (index < kMostChoices) finished.set(static_cast<std::size_t>(index));
        }
    }

    [[nodiscard]] std::string end(const CutUsage& usage, std::string_view why) const {
        std::string out;
        for (std::size_t i = 0; i < count; ++i) {
            if (finished.test(i)) continue;
            json::object choice{{"index", i}};
            if (is_chat)
                choice["delta"] = json::object();
            else
                choice["text"] = "";
            choice["logprobs"] = nullptr;
            choice["finish_reason"] = "length";
            json::object event = envelope;
            event["choices"] = json::array{std::move(choice)};
            if (usage.told) event["usage"] = nullptr;
            event["tollgate"] = stop_of(why);
            out += chunk(event);
        }
        if (usage.told) {
            json::object event = envelope;
            event["choices"] = json::array();
            event["usage"] = {{"prompt_tokens", usage.input},
                              {"completion_tokens", usage.output},
                              {"total_tokens", usage.input + usage.output}};
            out += chunk(event);
        }
        return out + "data: [DONE]\n\n";
    }

    const bool is_chat;
    const std::uint64_t count;
    json::object envelope; // of the first chunk
    std::bitset<kMostChoices> finished;
};

struct StreamCut::Response {
    struct Item {
        json::object object;
        std::string text;
        std::uint64_t content_index = 0;
        bool has_text = false, done = false;
    };

    void observe(std::string_view data) {
        auto event = object_of(data);
        if (!event) return;
        if (const auto number = count_in(*event, "sequence_number")) next = *number + 1;
        const std::string_view type = text_in(*event, "type");
        if (type == "response.created") {
            if (json::value* const value = event->if_contains("response"); value != nullptr && value->is_object())
                response = std::move(value->get_object());
            return;
        }
        const auto index = count_in(*event, "output_index");
        if (index) observe_item(type, *index, *event);
    }

    void observe_item(std::string_view type, std::uint64_t index, json::object& event) {
        if (type == "response.output_item.added" || type == "response.output_item.done") {
            json::value* const value = event.if_contains("item");
            if (value == nullptr || !value->is_object() || items.size() >= kMostItems) return;
            Item& item = items[index];
            item.object = std::move(value->get_object());
            item.done = type.ends_with(".done");
            return;
        }
        const auto found = items.find(index);
        if (found == items.end() || type != "response.output_text.delta") return;
        Item& item = found->second;
        item.has_text = true;
        item.content_index = count_in(event, "content_index").value_or(0);
        const std::string_view delta = text_in(event, "delta");
        if (octets + delta.size() > kMostText) return;
        octets += delta.size();
        item.text += delta;
    }

    // Numbers and names the event as the dialect does.
    static void append(std::string& out, std::string_view type, std::uint64_t& number, json::object members) {
        json::object event{{"type", view(type)}, {"sequence_number", number++}};
        for (auto& member : members) event[member.key()] = std::move(member.value());
        out += fmt::format("event: {}\n", type);
        out += chunk(event);
    }

    // Ends an item that was under way; returns it as it stands in the response.
    static json::object close(std::string& out, std::uint64_t index, const Item& item, std::uint64_t& number) {
        json::object object = item.object;
        object["status"] = "incomplete";
        if (item.has_text) {
            const json::value id = object.contains("id") ? object["id"] : json::value(nullptr);
            const json::object place{{"item_id", id}, {"output_index", index}, {"content_index", item.content_index}};
            json::object text = place;
            text["text"] = view(item.text);
            text["logprobs"] = json::array();
            append(out, "response.output_text.done", number, std::move(text));
            const json::object part{{"type", "output_text"}, {"text", view(item.text)}, {"annotations", json::array()}};
            json::object closed = place;
            closed["part"] = part;
            append(out, "response.content_part.done", number, std::move(closed));
            object["content"] = json::array{part};
        }
        append(out, "response.output_item.done", number, {{"output_index", index}, {"item", object}});
        return object;
    }

    [[nodiscard]] std::string end(const CutUsage& usage, std::string_view why) const {
        std::string out;
        std::uint64_t number = next;
        json::array output;
        for (const auto& [index, item] : items)
            output.emplace_back(item.done ? item.object : close(out, index, item, number));
        json::object whole = response;
        whole["status"] = "incomplete";
        whole["incomplete_details"] = {{"reason", "max_output_tokens"}};
        whole["output"] = std::move(output);
        whole["usage"] = {{"input_tokens", usage.input},
                          {"input_tokens_details", {{"cached_tokens", 0}}},
                          {"output_tokens", usage.output},
                          {"output_tokens_details", {{"reasoning_tokens", 0}}},
                          {"total_tokens", usage.input + usage.output}};
        whole["tollgate"] = stop_of(why);
        append(out, "response.incomplete", number, {{"response", std::move(whole)}});
        return out;
    }

    json::object response;               // of its first event
    std::map<std::uint64_t, Item> items; // by their place in the output
    std::size_t octets = 0;
    std::uint64_t next = 0;
};

StreamCut::StreamCut(Operation operation, std::uint64_t choices) {
    if (operation == Operation::responses)
        response_ = std::make_unique<Response>();
    else
        chunks_ = std::make_unique<Chunks>(operation != Operation::text_completion, choices);
}

StreamCut::~StreamCut() = default;

void StreamCut::observe(std::string_view data) {
    if (data.empty() || data.front() != '{') return;
    if (response_)
        response_->observe(data);
    else
        chunks_->observe(data);
}

std::string StreamCut::end(const CutUsage& usage, std::string_view why) const {
    return response_ ? response_->end(usage, why) : chunks_->end(usage, why);
}

} // namespace tollgate::api
