#include "tests/mock_provider/router.hpp"

#include "tests/mock_provider/chat.hpp"
#include "tests/mock_provider/chat_request.hpp"
#include "tests/mock_provider/media.hpp"
#include "tests/mock_provider/multipart.hpp"
#include "tests/mock_provider/responses.hpp"
#include "tests/mock_provider/text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace tollgate::mock {

namespace json = boost::json;

struct Router::Call {
    const Request& request;
    std::string_view path;   // without "/v1" and the old engine part
    std::string engine = {}; // model named by an old engine URL
    json::object body = {};
    bool is_json = false;
    std::vector<Part> parts = {};
    bool is_multipart = false;
    std::string_view model() const {
        if (is_multipart) return part_named(parts, "model");
        const auto named = string_in(body, "model");
        return named.empty() ? std::string_view{engine} : named;
    }
};

namespace {

constexpr std::array kModels{"gpt-4o-mini", "gpt-4o",          "text-embedding-3-small", "whisper-1",
                             "tts-1",       "gpt-image-1",     "omni-moderation-latest", "gpt-3.5-turbo-instruct",
                             "mock-plain",  "text-davinci-003"};

json::object model_object(std::string_view id) {
    return {{"id", id}, {"object", "model"}, {"created", kCreated}, {"owned_by", "mock"}};
}

std::string unquoted(std::string_view text) {
    const auto digit = [](char c) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        return kDigits.find(c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c);
    };
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape = text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) != std::string_view::npos &&
                            digit(text[i + 2]) != std::string_view::npos;
        if (escape) {
            out.push_back(static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])));
            i += 2;
        } else {
            out.push_back(text[i]);
        }
    }
    return out;
}

Reply models_reply(std::string_view path) {
    Reply reply;
    if (path == "/models") {
        json::array data;
        for (const auto* id : kModels) data.push_back(model_object(id));
        reply.body = json::serialize(json::object{{"object", "list"}, {"data", std::move(data)}});
        return reply;
    }
    const auto id = unquoted(path.substr(std::string_view{"/models/"}.size()));
    const bool known = std::find(kModels.begin(), kModels.end(), id) != kModels.end();
    if (!known) return error_reply(404, "The model '" + id + "' does not exist");
    reply.body = json::serialize(model_object(id));
    return reply;
}

Reply json_reply(const json::object& answer) {
    Reply reply;
    reply.body = json::serialize(answer) + "\n";
    return reply;
}

bool is_models(std::string_view path) {
    return path == "/models" || path.starts_with("/models/");
}

/// Answers that replace the real one, whatever the endpoint.
bool replace(Reply& reply, const Behaviour& behaviour, bool streaming) {
    if (behaviour.status == 204 || behaviour.status == 304) {
        reply.status = behaviour.status;
    } else if (behaviour.status >= 300) {
        reply = error_reply(behaviour.status);
    } else if (behaviour.redirect) {
        reply.status = 302;
        reply.headers = "location: http://127.0.0.1:9/v1/elsewhere\r\n";
    } else if (behaviour.html) {
        reply.content_type = "text/html";
        reply.body = "<html><body><h1>It works</h1></body></html>\n";
    } else if (behaviour.after == After::kError && !streaming) {
        reply = error_reply(500);
    } else {
        return false;
    }
    return true;
}

} // namespace

bool Router::authorized(const Request& request) const {
    return required_key_.empty() || request.authorization == "Bearer " + required_key_;
}

std::string Router::identifier(std::string_view prefix, std::string_view model, std::uint64_t seed, bool unique) {
    const auto salt = unique ? next_id_.fetch_add(1, std::memory_order_relaxed) : 0;
    return std::string{prefix} + hex_of(hash_of(model, seed ^ (salt << 32)));
}

Answer Router::answer(const Request& request) {
    Call call{.request = request, .path = request.path};
    if (call.path.starts_with("/v1/")) call.path.remove_prefix(3);
    constexpr std::string_view kEngines = "/engines/";
    if (call.path.starts_with(kEngines)) {
        call.path.remove_prefix(kEngines.size());
        const auto slash = std::min(call.path.find('/'), call.path.size());
        call.engine = unquoted(call.path.substr(0, slash));
        call.path.remove_prefix(slash);
    }
    if (request.content_type.starts_with("multipart/")) {
        call.parts = parse_multipart(request.content_type, request.body);
        call.is_multipart = true;
    } else if (!request.body.empty()) {
        boost::system::error_code error;
        auto value = json::parse(json::string_view{request.body.data(), request.body.size()}, error);
        call.is_json = !error && value.is_object();
        if (call.is_json) call.body = std::move(value.get_object());
    }
    auto answer = dispatch(call);
    answer.reply.head = request.method == "HEAD";
    return answer;
}

Answer Router::dispatch(Call& call) {
    Answer answer{.reply = {}, .behaviour = {}, .model = std::string{call.model()}};
    if (!authorized(call.request)) {
        answer.reply = error_reply(401);
        return answer;
    }
    answer.behaviour = parse_behaviour(answer.model);
    if (replace(answer.reply, answer.behaviour, flag_in(call.body, "stream"))) return answer;
    if (call.request.method == "GET" && is_models(call.path)) {
        answer.reply = models_reply(call.path);
        return answer;
    }
    const ObjectCall object{.method = call.request.method,
                            .path = call.path,
                            .query = call.request.query,
                            .body = call.is_json ? &call.body : nullptr,
                            .parts = call.is_multipart ? &call.parts : nullptr};
    const bool inference = call.path == "/chat/completions" || call.path == "/responses" ||
                           call.path == "/responses/input_tokens" || call.path == "/responses/compact";
    if (!(inference && call.request.method == "POST")) {
        if (auto reply = objects_.handle(object)) {
            answer.reply = std::move(*reply);
            return answer;
        }
    }
    if (call.request.method != "POST")
        answer.reply = error_reply(404, "Unknown request URL.", "unknown_url");
    else if (call.is_multipart)
        answer.reply = on_multipart(call, answer.behaviour);
    else if (call.is_json)
        answer.reply = on_json(call, answer.behaviour);
    else
        answer.reply = error_reply(400, "We could not parse the JSON body of your request.");
    return answer;
}

Reply Router::on_chat(const Call& call, const Behaviour& behaviour) {
    const bool legacy = call.path == "/completions";
    const auto* needed = legacy ? "prompt" : "messages";
    if (!call.body.contains(needed)) {
        return error_reply(400, std::string{"Missing required parameter: '"} + needed + "'.",
                           "missing_required_parameter");
    }
    auto generation = legacy ? read_completion(call.body, behaviour) : read_chat(call.body, behaviour);
    generation.model = call.model();
    const bool stored = !legacy && flag_in(call.body, "store");
    const auto id =
        identifier(legacy ? "cmpl-" : "chatcmpl-", generation.model, generation.text.seed, stored || behaviour.unique);
    if (stored) {
        auto kept = generation;
        kept.stream = false;
        auto object = json::parse(chat_reply(kept, behaviour, ChatKind::kChat, id).body).as_object();
        if (const auto* metadata = call.body.if_contains("metadata")) object["metadata"] = *metadata;
        objects_.keep("/chat/completions", std::move(object));
    }
    auto reply = chat_reply(generation, behaviour, legacy ? ChatKind::kLegacy : ChatKind::kChat, id);
    reply.repeatable = behaviour.plain && !stored;
    return reply;
}

Reply Router::on_responses(const Call& call, const Behaviour& behaviour) {
    const auto generation = read_responses(call.body, behaviour);
    const auto* store = call.body.if_contains("store");
    const bool stored = store == nullptr || !store->is_bool() || store->get_bool();
    const auto id = identifier("resp_", generation.model, generation.text.seed, stored || behaviour.unique);
    auto object = response_object(generation, behaviour, call.body, id);
    if (stored) objects_.keep("/responses", object);
    auto reply = responses_reply(generation, behaviour, std::move(object));
    reply.repeatable = behaviour.plain && !stored;
    return reply;
}

Reply Router::on_input(const Call& call, const Behaviour& behaviour) {
    const auto generation = read_responses(call.body, behaviour);
    const auto tokens = static_cast<std::int64_t>(generation.usage.prompt);
    if (call.path == "/responses/input_tokens")
        return json_reply({{"object", "response.input_tokens"}, {"input_tokens", tokens}});
    auto object = response_object(generation, behaviour, call.body, identifier("resp_", generation.model, 0, true));
    object["object"] = "response.compaction";
    auto reply = json_reply(object);
    reply.usage = generation.usage;
    return reply;
}

Reply Router::on_json(const Call& call, const Behaviour& behaviour) {
    const auto repeatable = [&](Reply reply) {
        reply.repeatable = behaviour.plain;
        return reply;
    };
    if (call.path == "/chat/completions" || call.path == "/completions") return on_chat(call, behaviour);
    if (call.path == "/responses") return on_responses(call, behaviour);
    if (call.path == "/responses/input_tokens" || call.path == "/responses/compact") return on_input(call, behaviour);
    if (call.path == "/fine_tuning/alpha/graders/run") return json_reply({{"reward", 0.5}, {"sub_rewards", nullptr}});
    if (call.path == "/fine_tuning/alpha/graders/validate")
        return call.body.contains("grader") ? json_reply({{"grader", call.body.at("grader")}}) : error_reply(400);
    if (call.path == "/decisions") return decisions_reply(call.body, behaviour);
    if (call.path == "/embeddings") {
        auto body = call.body;
        body["model"] = call.model();
        return repeatable(embeddings_reply(body, behaviour));
    }
    if (call.path == "/moderations") return repeatable(moderations_reply(call.body));
    if (call.path == "/images/generations") return images_reply(call.body, behaviour);
    if (call.path == "/audio/speech") return speech_reply(call.body, behaviour);
    return error_reply(404, "Unknown request URL.", "unknown_url");
}

Reply Router::on_multipart(const Call& call, const Behaviour& behaviour) {
    if (call.path == "/images/edits" || call.path == "/images/variations")
        return image_edit_reply(call.parts, behaviour);
    if (call.path == "/audio/transcriptions") return transcription_reply(call.parts, behaviour, false);
    if (call.path == "/audio/translations") return transcription_reply(call.parts, behaviour, true);
    return error_reply(404, "Unknown request URL.", "unknown_url");
}

} // namespace tollgate::mock
