#include "tests/mock_provider/chat_request.hpp"

#include "tests/mock_provider/text.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <optional>

namespace tollgate::mock {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kOctetsPerToken = 8;
constexpr std::uint64_t kPieceOfSized = 1024; // octets per event where only the size is given

Text plan_text(std::string_view prompt, const Behaviour& behaviour, std::optional<std::uint64_t> limit) {
    Text text;
    text.seed = hash_of(prompt);
    text.tokens = behaviour.tokens.value_or(8 + text.seed % 8);
    text.size = text.tokens == 0 ? 0 : text.tokens * kOctetsPerToken - 1;
    text.pieces = text.tokens;
    if (behaviour.size) {
        text.size = *behaviour.size;
        text.pieces = behaviour.tokens.value_or((text.size + kPieceOfSized - 1) / kPieceOfSized);
        text.tokens = behaviour.tokens.value_or((text.size + kOctetsPerToken) / kOctetsPerToken);
    }
    if (limit && text.tokens > *limit && !behaviour.nocap) {
        text.cut = true;
        text.size = text.size * *limit / text.tokens;
        text.pieces = std::max<std::uint64_t>(1, text.pieces * *limit / text.tokens);
        text.tokens = *limit;
    }
    return text;
}

void finish(Generation& generation, const Behaviour& behaviour, std::optional<std::uint64_t> limit) {
    generation.text = plan_text(generation.prompt, behaviour, limit);
    generation.text.cut |= behaviour.finish_length;
    generation.filtered = behaviour.finish_filter;
    generation.rich = behaviour.rich;
    generation.refuse = behaviour.refuse;
    generation.cut_call = behaviour.cut_call;
    auto& usage = generation.usage;
    usage.prompt = behaviour.prompt.value_or(tokens_of(generation.prompt_bytes));
    usage.cached = std::min(behaviour.cached, usage.prompt);
    usage.reasoning = behaviour.reasoning;
    usage.fault = behaviour.usage_fault;
    // A call costs what its arguments weigh; text costs its words.
    const std::uint64_t each = generation.tools.empty() ? generation.text.tokens : 12 * generation.tools.size();
    usage.completion = each * generation.choices + usage.reasoning;
}

std::optional<std::uint64_t> limit_in(const json::object& body, std::initializer_list<std::string_view> names) {
    std::optional<std::uint64_t> limit;
    for (const auto name : names) {
        const auto* member = body.if_contains(name);
        if (member != nullptr && member->is_int64() && member->get_int64() > 0) {
            limit = static_cast<std::uint64_t>(member->get_int64());
        }
    }
    return limit;
}

/// Function names in OpenAI's spellings: a tool with them nested in `function`, or flat; before tools, `functions`.
std::vector<std::string> functions_in(const json::object& body) {
    std::vector<std::string> names;
    if (const auto* old = body.if_contains("functions"); old != nullptr && old->is_array()) {
        for (const auto& function : old->get_array())
            if (function.is_object()) names.emplace_back(string_in(function.get_object(), "name"));
    }
    const auto* tools = body.if_contains("tools");
    if (tools == nullptr || !tools->is_array()) return names;
    for (const auto& tool : tools->get_array()) {
        const auto* object = tool.if_object();
        if (object == nullptr || string_in(*object, "type") != "function") continue;
        const auto* nested = object->if_contains("function");
        const auto* holder = nested != nullptr ? nested->if_object() : object;
        if (holder != nullptr) names.emplace_back(string_in(*holder, "name"));
    }
    return names;
}

void choose_tools(Generation& generation, const json::object& body) {
    if (!generation.last_is_user || generation.prompt.find("call tool") == std::string::npos) return;
    generation.tools = functions_in(body);
    generation.old_call = body.contains("functions");
    const bool all = !generation.old_call && generation.prompt.find("call tools") != std::string::npos;
    if (!all && generation.tools.size() > 1) generation.tools.resize(1);
}

void read_messages(Generation& generation, const json::array& messages) {
    for (const auto& message : messages) {
        const auto* object = message.if_object();
        if (object == nullptr) continue;
        const auto* content = object->if_contains("content");
        const auto text = content != nullptr ? text_in(*content) : std::string{};
        generation.prompt_bytes += text.size();
        generation.last_is_user = string_in(*object, "role") == "user";
        if (generation.last_is_user) generation.prompt = text;
    }
}

Generation common(const json::object& body) {
    Generation generation;
    generation.model = string_in(body, "model");
    generation.stream = flag_in(body, "stream");
    generation.choices = std::clamp<std::uint64_t>(number_in(body, "n", 1), 1, 128);
    if (const auto* options = body.if_contains("stream_options"); options != nullptr && options->is_object()) {
        generation.include_usage = flag_in(options->get_object(), "include_usage");
    }
    return generation;
}

} // namespace

std::string_view string_in(const json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    return member != nullptr && member->is_string() ? std::string_view{member->get_string()} : std::string_view{};
}

std::uint64_t number_in(const json::object& object, std::string_view name, std::uint64_t otherwise) {
    const auto* member = object.if_contains(name);
    if (member == nullptr || !member->is_int64() || member->get_int64() < 0) return otherwise;
    return static_cast<std::uint64_t>(member->get_int64());
}

bool flag_in(const json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    return member != nullptr && member->is_bool() && member->get_bool();
}

std::string text_in(const json::value& value) {
    if (value.is_string()) return std::string{std::string_view{value.get_string()}};
    std::string text;
    if (value.is_array()) {
        for (const auto& part : value.get_array()) text += text_in(part);
    } else if (value.is_object()) {
        for (const auto* name : {"text", "content"}) {
            if (const auto* member = value.get_object().if_contains(name)) text += text_in(*member);
        }
    }
    return text;
}

std::string call_arguments(const Generation& generation, std::uint64_t index) {
    std::string arguments = R"({"query":")";
    append_words(arguments, generation.text.seed + index, 0, 23);
    arguments.append(R"(","count":)").append(std::to_string(index + 1));
    const bool cut = generation.cut_call && index + 1 == generation.tools.size();
    return cut ? arguments : arguments.append("}");
}

std::string call_id(const Generation& generation, std::uint64_t index) {
    return "call_" + hex_of(hash_of("call", generation.text.seed + index));
}

Generation read_chat(const json::object& body, const Behaviour& behaviour) {
    auto generation = common(body);
    if (const auto* messages = body.if_contains("messages"); messages != nullptr && messages->is_array()) {
        read_messages(generation, messages->get_array());
    }
    choose_tools(generation, body);
    generation.logprobs = flag_in(body, "logprobs");
    finish(generation, behaviour, limit_in(body, {"max_tokens", "max_completion_tokens"}));
    return generation;
}

Generation read_completion(const json::object& body, const Behaviour& behaviour) {
    auto generation = common(body);
    if (const auto* prompt = body.if_contains("prompt")) generation.prompt = text_in(*prompt);
    generation.prompt_bytes = generation.prompt.size();
    const auto limit = limit_in(body, {"max_tokens"});
    finish(generation, behaviour, limit ? limit : 16); // 16 is this endpoint's documented default
    return generation;
}

Generation read_responses(const json::object& body, const Behaviour& behaviour) {
    auto generation = common(body);
    generation.choices = 1;
    const auto* input = body.if_contains("input");
    if (input != nullptr && input->is_array()) {
        read_messages(generation, input->get_array());
    } else if (input != nullptr) {
        generation.prompt = text_in(*input);
        generation.prompt_bytes = generation.prompt.size();
    }
    generation.prompt_bytes += string_in(body, "instructions").size();
    choose_tools(generation, body);
    finish(generation, behaviour, limit_in(body, {"max_output_tokens"}));
    return generation;
}

} // namespace tollgate::mock
