#include "gateway/api/objects.hpp"

#include "gateway/api/json_value.hpp"
#include "gateway/base/text.hpp"

#include <algorithm>
#include <boost/json.hpp>

namespace tollgate::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxId = 128;

// An object or nothing, without exceptions. The memory resource outlives the value.
std::optional<json::value> parse_object(std::string_view body, json::storage_ptr memory) {
    auto value = parse_value(body, std::move(memory));
    if (!value || !value->is_object()) return std::nullopt;
    return value;
}

std::string_view view(const json::string& text) noexcept {
    return {text.data(), text.size()};
}

bool is_id(std::string_view text) noexcept {
    const auto good = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
               c == ':' || c == '-';
    };
    return !text.empty() && text.size() <= kMaxId && std::ranges::all_of(text, good);
}

const json::string* string_member(const json::value& value, std::string_view name) {
    const json::object* object = value.if_object();
    const json::value* member = object == nullptr ? nullptr : object->if_contains({name.data(), name.size()});
    return member == nullptr ? nullptr : member->if_string();
}

json::array* data_of(json::value& list) {
    json::value* data = list.as_object().if_contains("data");
    return data == nullptr ? nullptr : data->if_array();
}

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) noexcept {
    return std::ranges::find(names, name) != names.end();
}

void collect_ids(const json::value& value, std::string_view name, std::vector<std::string>& out) {
    if (const json::object* object = value.if_object()) {
        // An item of `input` that stands for a stored one: said so, or nothing but an id.
        const json::string* type = string_member(value, "type");
        const json::string* id = string_member(value, "id");
        const bool stored = type != nullptr && is_one_of(view(*type), {"item_reference", "image_generation_call"});
        if (id != nullptr && (stored || (object->size() == 1 && name.empty()))) out.emplace_back(view(*id));
        for (const auto& [key, member] : *object) {
            const std::string_view inner(key.data(), key.size());
            // `conversation` is an id or an object with one; `audio` in a message names an earlier answer's sound.
            const bool id_of_parent = inner == "id" && is_one_of(name, {"conversation", "audio"});
            collect_ids(member, id_of_parent ? (name == "audio" ? std::string_view("audio_id") : name) : inner, out);
        }
    } else if (const json::array* array = value.if_array()) {
        // Elements inherit the name of an array of ids only: under any other name a string is no id.
        const std::string_view inherited =
            is_one_of(name, {"file_ids", "vector_store_ids"}) ? name : std::string_view{};
        for (const json::value& element : *array) collect_ids(element, inherited, out);
    } else if (const json::string* text = value.if_string()) {
        if (name.ends_with("file_id") ||
            is_one_of(name, {"file_ids", "training_file", "validation_file", "vector_store_ids", "previous_response_id",
                             "conversation", "container", "container_id", "audio_id"}))
            out.emplace_back(view(*text));
    }
}

// Files the provider made for an object: results of batches and fine-tuning jobs, the file of a completed upload.
void collect_made(const json::value& value, std::vector<std::string>& out) {
    for (const std::string_view name : {"output_file_id", "error_file_id"}) {
        if (const json::string* id = string_member(value, name); id != nullptr && is_id(view(*id)))
            out.emplace_back(view(*id));
    }
    const json::object* object = value.if_object();
    if (object == nullptr) return;
    if (const json::value* file = object->if_contains("file")) {
        if (const json::string* id = string_member(*file, "id"); id != nullptr && is_id(view(*id)))
            out.emplace_back(view(*id));
    }
    const json::value* results = object->if_contains("result_files");
    const json::array* list = results == nullptr ? nullptr : results->if_array();
    if (list == nullptr) return;
    for (const json::value& element : *list) {
        if (const json::string* id = element.if_string(); id != nullptr && is_id(view(*id)))
            out.emplace_back(view(*id));
    }
}

void append_model(std::string& out, std::string_view model) {
    out += "{\"id\":";
    append_json_string(out, model);
    // The gateway does not know when a provider made a model; SDKs only require an integer.
    out += ",\"object\":\"model\",\"created\":0,\"owned_by\":\"tollgate\"}";
}

void append_engine(std::string& out, std::string_view model) {
    out += "{\"id\":";
    append_json_string(out, model);
    out += ",\"object\":\"engine\",\"owner\":\"tollgate\",\"ready\":true}";
}

template <class Append>
std::string list_body(const std::vector<std::string>& models, Append append) {
    std::string out = "{\"object\":\"list\",\"data\":[";
    for (std::size_t i = 0; i < models.size(); ++i) {
        if (i != 0) out += ',';
        append(out, models[i]);
    }
    out += "]}";
    return out;
}

} // namespace

std::string models_list_body(const std::vector<std::string>& models) {
    return list_body(models, append_model);
}

std::string model_body(std::string_view model) {
    std::string out;
    append_model(out, model);
    return out;
}

std::string engines_list_body(const std::vector<std::string>& models) {
    return list_body(models, append_engine);
}

std::string engine_body(std::string_view model) {
    std::string out;
    append_engine(out, model);
    return out;
}

std::optional<std::string> created_id(std::string_view body) {
    json::monotonic_resource memory;
    const auto root = parse_object(body, &memory);
    const json::string* id = root ? string_member(*root, "id") : nullptr;
    if (id == nullptr || !is_id(view(*id))) return std::nullopt;
    return std::string(view(*id));
}

std::optional<std::string> created_response_id(std::string_view event_data) {
    json::monotonic_resource memory;
    const auto root = parse_object(event_data, &memory);
    const json::value* response = root ? root->as_object().if_contains("response") : nullptr;
    const json::string* id = response == nullptr ? nullptr : string_member(*response, "id");
    if (id == nullptr || !is_id(view(*id))) return std::nullopt;
    return std::string(view(*id));
}

std::optional<std::vector<std::string>> tool_models(std::string_view body) {
    json::monotonic_resource memory;
    std::vector<std::string> out;
    const auto root = parse_object(body, &memory);
    if (!root) return std::nullopt;
    const json::value* tools = root->as_object().if_contains("tools");
    const json::array* list = tools == nullptr ? nullptr : tools->if_array();
    if (list == nullptr) return out;
    for (const json::value& tool : *list) {
        if (const json::string* model = string_member(tool, "model")) out.emplace_back(view(*model));
    }
    return out;
}

std::optional<std::vector<std::string>> referenced_ids(std::string_view body) {
    json::monotonic_resource memory;
    std::vector<std::string> out;
    const auto root = parse_object(body, &memory);
    if (!root) return std::nullopt;
    for (const auto& [key, member] : root->as_object()) {
        const std::string_view name(key.data(), key.size());
        if (name != "metadata") collect_ids(member, name, out); // the caller's own notes refer to nothing
    }
    std::ranges::sort(out);
    const auto repeated = std::ranges::unique(out);
    out.erase(repeated.begin(), repeated.end());
    return out;
}

std::vector<std::string> made_file_ids(std::string_view body) {
    json::monotonic_resource memory;
    std::vector<std::string> out;
    auto root = parse_object(body, &memory);
    if (!root) return out;
    collect_made(*root, out);
    if (const json::array* data = data_of(*root)) {
        for (const json::value& element : *data) collect_made(element, out);
    }
    return out;
}

std::optional<std::string> filter_list(std::string_view body, const std::function<bool(std::string_view)>& keep) {
    json::monotonic_resource memory;
    auto root = parse_object(body, &memory);
    json::array* data = root ? data_of(*root) : nullptr;
    if (data == nullptr) return std::nullopt;
    json::array kept(&memory);
    for (json::value& element : *data) {
        const json::string* id = string_member(element, "id");
        if (id != nullptr && keep(view(*id))) kept.push_back(std::move(element));
    }
    *data = std::move(kept);
    // The ends of the unfiltered page are ids of somebody else's objects.
    const auto fix = [&](std::string_view name, bool first) {
        json::value* member = root->as_object().if_contains({name.data(), name.size()});
        if (member == nullptr) return;
        *member = data->empty() ? json::value(nullptr) : (first ? data->front() : data->back()).as_object().at("id");
    };
    fix("first_id", true);
    fix("last_id", false);
    return json::serialize(*root);
}

std::vector<std::string> list_ids(std::string_view body) {
    json::monotonic_resource memory;
    std::vector<std::string> out;
    auto root = parse_object(body, &memory);
    const json::array* data = root ? data_of(*root) : nullptr;
    if (data == nullptr) return out;
    for (const json::value& element : *data) {
        if (const json::string* id = string_member(element, "id")) out.emplace_back(view(*id));
    }
    return out;
}

} // namespace tollgate::api
