#include "tests/mock_provider/objects.hpp"

#include "tests/mock_provider/chat.hpp"
#include "tests/mock_provider/chat_request.hpp"
#include "tests/mock_provider/text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace tollgate::mock {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxObjects = 10'000; // per collection; the oldest goes first

struct Kind {
    std::string_view path;
    std::string_view object;
    std::string_view id_prefix;
    bool creatable; // by POST on the collection
};

constexpr std::array kKinds{
    Kind{"/files", "file", "file-", true},
    Kind{"/uploads", "upload", "upload_", true},
    Kind{"/batches", "batch", "batch_", true},
    Kind{"/fine_tuning/jobs", "fine_tuning.job", "ftjob-", true},
    Kind{"/vector_stores", "vector_store", "vs_", true},
    Kind{"/chat/completions", "chat.completion", "chatcmpl-", false},
    Kind{"/responses", "response", "resp_", false},
    Kind{"/conversations", "conversation", "conv_", true},
};

const Kind* kind_of(std::string_view path) {
    const auto* found = std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& kind) {
        return path.starts_with(kind.path) && (path.size() == kind.path.size() || path[kind.path.size()] == '/');
    });
    return found == kKinds.end() ? nullptr : found;
}

Reply json_reply(const json::object& object) {
    Reply reply;
    reply.body = json::serialize(object) + "\n";
    return reply;
}

Reply no_such(std::string_view id) {
    return error_reply(404, "No such object: " + std::string{id}, "not_found");
}

std::string_view query_value(std::string_view query, std::string_view name) {
    while (!query.empty()) {
        const auto pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), pair.size() + 1));
        if (pair.starts_with(name) && pair.size() > name.size() && pair[name.size()] == '=') {
            return pair.substr(name.size() + 1);
        }
    }
    return {};
}

/// The members that a fresh object of the collection has besides `id`, `object` and what the request said.
json::object defaults_of(std::string_view object) {
    if (object == "batch") {
        return {{"created_at", kCreated},   {"status", "validating"},
                {"errors", nullptr},        {"output_file_id", nullptr},
                {"error_file_id", nullptr}, {"request_counts", {{"total", 0}, {"completed", 0}, {"failed", 0}}},
                {"metadata", nullptr}};
    }
    if (object == "fine_tuning.job") {
        return {{"created_at", kCreated},        {"status", "queued"},
                {"fine_tuned_model", nullptr},   {"organization_id", "org-mock"},
                {"trained_tokens", nullptr},     {"error", nullptr},
                {"result_files", json::array{}}, {"seed", 1},
                {"finished_at", nullptr},        {"hyperparameters", {{"n_epochs", "auto"}}}};
    }
    if (object == "vector_store") {
        return {{"created_at", kCreated},
                {"name", ""},
                {"usage_bytes", 0},
                {"status", "completed"},
                {"file_counts", {{"in_progress", 0}, {"completed", 0}, {"failed", 0}, {"cancelled", 0}, {"total", 0}}},
                {"metadata", json::object{}}};
    }
    if (object == "conversation") return {{"created_at", kCreated}, {"metadata", json::object{}}};
    return {{"created_at", kCreated}, {"status", "pending"}, {"expires_at", kCreated + 3600}};
}

} // namespace

std::optional<Reply> ObjectStore::handle(const ObjectCall& call) {
    const auto* kind = kind_of(call.path);
    if (kind == nullptr) return std::nullopt;
    auto rest = call.path.substr(kind->path.size());
    const std::lock_guard lock{mutex_};
    if (rest.empty()) {
        if (call.method == "POST" && kind->creatable) return create(kind->path, call);
        if (call.method == "GET") return list(kind->path, call.query);
        return error_reply(405);
    }
    rest.remove_prefix(1);
    const auto slash = rest.find('/');
    const auto action = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
    return on_object(kind->path, rest.substr(0, slash), action, call);
}

void ObjectStore::keep(std::string_view collection, json::object object) {
    const std::lock_guard lock{mutex_};
    std::string id{string_in(object, "id")};
    insert(collection, std::move(id), std::move(object));
}

void ObjectStore::clear() {
    const std::lock_guard lock{mutex_};
    collections_.clear();
}

ObjectStore::Stored& ObjectStore::insert(std::string_view name, std::string id, json::object object) {
    auto& collection = collections_[std::string{name}];
    if (collection.size() >= kMaxObjects) {
        collection.erase(std::min_element(collection.begin(), collection.end(), [](const auto& a, const auto& b) {
            return a.second.order < b.second.order;
        }));
    }
    auto& stored = collection[std::move(id)];
    stored = {std::move(object), {}, next_++};
    return stored;
}

json::object ObjectStore::new_file(std::string_view filename, std::string_view purpose, std::size_t bytes) {
    return {{"id", "file-" + hex_of(hash_of("file", next_))},
            {"object", "file"},
            {"bytes", static_cast<std::int64_t>(bytes)},
            {"created_at", kCreated},
            {"expires_at", nullptr},
            {"filename", filename},
            {"purpose", purpose},
            {"status", "processed"},
            {"status_details", nullptr}};
}

Reply ObjectStore::create(std::string_view name, const ObjectCall& call) {
    if (name == "/files") {
        if (call.parts == nullptr || call.parts->empty())
            return error_reply(400, "The body is not multipart/form-data.");
        const auto part = std::find_if(call.parts->begin(), call.parts->end(),
                                       [](const Part& candidate) { return candidate.name == "file"; });
        const auto purpose = part_named(*call.parts, "purpose");
        if (part == call.parts->end() || purpose.empty()) {
            return error_reply(400, "'file' and 'purpose' are required.", "missing_required_parameter");
        }
        auto file = new_file(part->filename, purpose, part->content.size());
        auto& stored = insert(name, std::string{string_in(file, "id")}, std::move(file));
        stored.content = part->content;
        return json_reply(stored.object);
    }
    if (call.body == nullptr) return error_reply(400, "The body is not a JSON object.");
    const auto* kind = kind_of(name);
    auto id = std::string{kind->id_prefix} + hex_of(hash_of(kind->object, next_));
    json::object object{{"id", id}, {"object", kind->object}};
    for (auto& [key, value] : defaults_of(kind->object)) object[key] = value;
    for (const auto& [key, value] : *call.body) object[key] = value;
    return json_reply(insert(name, std::move(id), std::move(object)).object);
}

Reply ObjectStore::list(std::string_view name, std::string_view query) {
    std::vector<const Stored*> found;
    const auto purpose = query_value(query, "purpose");
    const auto collection = collections_.find(name);
    if (collection != collections_.end()) {
        for (const auto& [id, stored] : collection->second) {
            if (purpose.empty() || string_in(stored.object, "purpose") == purpose) found.push_back(&stored);
        }
    }
    const bool ascending = query_value(query, "order") == "asc";
    std::sort(found.begin(), found.end(), [ascending](const Stored* a, const Stored* b) {
        return ascending ? a->order < b->order : a->order > b->order;
    });
    if (const auto after = query_value(query, "after"); !after.empty()) {
        const auto at = std::find_if(found.begin(), found.end(),
                                     [&](const Stored* stored) { return string_in(stored->object, "id") == after; });
        found.erase(found.begin(), at == found.end() ? at : at + 1);
    }
    std::size_t limit = 20;
    const auto wanted = query_value(query, "limit");
    std::from_chars(wanted.data(), wanted.data() + wanted.size(), limit);
    const bool more = found.size() > limit;
    if (more) found.resize(limit);
    json::array data;
    for (const auto* stored : found) data.push_back(stored->object);
    json::object answer{{"object", "list"}, {"has_more", more}, {"first_id", nullptr}, {"last_id", nullptr}};
    if (!found.empty()) {
        answer["first_id"] = string_in(found.front()->object, "id");
        answer["last_id"] = string_in(found.back()->object, "id");
    }
    answer["data"] = std::move(data);
    return json_reply(answer);
}

Reply ObjectStore::on_object(std::string_view name, std::string_view id, std::string_view action,
                             const ObjectCall& call) {
    auto& collection = collections_[std::string{name}];
    const auto found = collection.find(id);
    if (found == collection.end()) return no_such(id);
    auto& stored = found->second;
    if (!action.empty()) return act(name, stored, action, call);
    const bool head = call.method == "HEAD" && name == "/files"; // the other collections do not know it
    if (call.method == "GET" || head) return json_reply(stored.object);
    if (call.method == "DELETE") {
        auto object = std::string{kind_of(name)->object};
        if (object != "file") object += ".deleted";
        json::object answer{{"id", id}, {"object", object}, {"deleted", true}};
        collection.erase(found);
        return json_reply(answer);
    }
    if (call.method == "POST" && call.body != nullptr) {
        for (const auto& [key, value] : *call.body) stored.object[key] = value;
        return json_reply(stored.object);
    }
    return error_reply(405);
}

Reply ObjectStore::act(std::string_view name, Stored& stored, std::string_view action, const ObjectCall& call) {
    if (name == "/files" && action == "content" && call.method == "GET") {
        Reply reply;
        reply.content_type = "application/octet-stream";
        reply.body = stored.content;
        return reply;
    }
    if (call.method == "POST" && action == "cancel") {
        stored.object["status"] = name == "/batches" ? "cancelling" : "cancelled";
        return json_reply(stored.object);
    }
    if (name == "/uploads" && call.method == "POST" && action == "parts") return add_part(stored, call);
    if (name == "/uploads" && call.method == "POST" && action == "complete") return complete_upload(stored);
    const bool items = name == "/conversations" && action == "items";
    if (items || (name == "/fine_tuning/jobs" && call.method == "GET")) {
        return json_reply({{"object", "list"}, {"data", json::array{}}, {"has_more", false}});
    }
    return error_reply(404, "Unknown action.", "unknown_url");
}

Reply ObjectStore::add_part(Stored& upload, const ObjectCall& call) {
    if (call.parts == nullptr || call.parts->empty()) return error_reply(400, "The body is not multipart/form-data.");
    upload.content += part_named(*call.parts, "data");
    return json_reply({{"id", "part_" + hex_of(hash_of("part", next_++))},
                       {"object", "upload.part"},
                       {"created_at", kCreated},
                       {"upload_id", string_in(upload.object, "id")}});
}

Reply ObjectStore::complete_upload(Stored& upload) {
    auto file =
        new_file(string_in(upload.object, "filename"), string_in(upload.object, "purpose"), upload.content.size());
    upload.object["status"] = "completed";
    upload.object["file"] = file;
    auto& stored = insert("/files", std::string{string_in(file, "id")}, file);
    stored.content = upload.content;
    return json_reply(upload.object);
}

} // namespace tollgate::mock
