#include "gateway/api/prompt_text.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>

namespace tollgate::api {
namespace {

namespace ondemand = simdjson::ondemand;
using Type = ondemand::json_type;

// A parser keeps the buffers of the largest body it has seen; larger ones are not meant to be counted.
constexpr std::size_t kKeptLimit = std::size_t{64} * 1024;

// How an answer is to be made, and for whom: no model reads these.
constexpr std::array<std::string_view, 38> kUnread{"model",
                                                   "stream",
                                                   "stream_options",
                                                   "temperature",
                                                   "top_p",
                                                   "top_k",
                                                   "n",
                                                   "best_of",
                                                   "stop",
                                                   "seed",
                                                   "user",
                                                   "logprobs",
                                                   "top_logprobs",
                                                   "logit_bias",
                                                   "presence_penalty",
                                                   "frequency_penalty",
                                                   "max_tokens",
                                                   "max_completion_tokens",
                                                   "max_output_tokens",
                                                   "max_tool_calls",
                                                   "metadata",
                                                   "store",
                                                   "service_tier",
                                                   "parallel_tool_calls",
                                                   "reasoning_effort",
                                                   "verbosity",
                                                   "modalities",
                                                   "prompt_cache_key",
                                                   "prompt_cache_retention",
                                                   "safety_identifier",
                                                   "encoding_format",
                                                   "dimensions",
                                                   "echo",
                                                   "truncation",
                                                   "include",
                                                   "background",
                                                   "prediction",
                                                   "stream_obfuscation"};

// Every step says false for what cannot be read: it cannot be bounded either.
class PromptWalk {
  public:
    PromptWalk(Operation operation, PromptShape& shape, const std::function<void(std::string_view)>& on_text)
        : operation_(operation), shape_(shape), on_text_(on_text) {}

    bool root(ondemand::object object) {
        return each_member(object, [this](std::string_view name, ondemand::value& value) {
            const bool plain = operation_ == Operation::embeddings || operation_ == Operation::text_completion;
            if (name == conversation_member()) return plain ? prompts(value) : conversation(value);
            if (name == "instructions" && operation_ == Operation::responses) return message_text(value);
            if (name == "suffix" && operation_ == Operation::text_completion) return text(value);
            if (std::ranges::find(kUnread, name) != kUnread.end()) return true;
            if (name == "tools" || name == "functions") shape_.functions = true;
            return other(value, name.size());
        });
    }

  private:
    template <class OnMember>
    static bool each_member(ondemand::object object, OnMember&& on_member) {
        for (auto entry : object) {
            ondemand::field field;
            std::string_view name;
            if (std::move(entry).get(field) || field.unescaped_key().get(name)) return false;
            if (!on_member(name, field.value())) return false;
        }
        return true;
    }

    template <class OnElement>
    static bool each_element(ondemand::value& value, OnElement&& on_element) {
        ondemand::array array;
        if (value.get_array().get(array)) return false;
        for (auto entry : array) {
            ondemand::value element;
            if (std::move(entry).get(element) || !on_element(element)) return false;
        }
        return true;
    }

    static bool is(ondemand::value& value, Type wanted) {
        Type type{};
        return !value.type().get(type) && type == wanted;
    }

    [[nodiscard]] std::string_view conversation_member() const {
        if (operation_ == Operation::chat) return "messages";
        return operation_ == Operation::text_completion ? "prompt" : "input";
    }

    // The value as it stands in the body, structure included.
    bool other(ondemand::value& value, std::size_t name = 0) {
        std::string_view raw;
        if (is(value, Type::null)) return true;
        if (is(value, Type::object)) {
            ondemand::object object;
            if (value.get_object().get(object) || object.raw_json().get(raw)) return false;
        } else if (is(value, Type::array)) {
            ondemand::array array;
            if (value.get_array().get(array) || array.raw_json().get(raw)) return false;
        } else {
            raw = value.raw_json_token();
        }
        shape_.other_octets += raw.size() + name;
        return true;
    }

    bool text(ondemand::value& value) {
        if (!is(value, Type::string)) return other(value);
        std::string_view told;
        if (value.get_string().get(told)) return false;
        ++shape_.texts;
        on_text_(told);
        return true;
    }

    bool message_text(ondemand::value& value) {
        if (is(value, Type::string)) ++shape_.messages;
        return text(value);
    }

    // One text or several; what is given as numbers has at least as many octets.
    bool prompts(ondemand::value& value) {
        if (!is(value, Type::array)) return text(value);
        return each_element(value, [this](ondemand::value& element) { return text(element); });
    }

    bool conversation(ondemand::value& value) {
        if (!is(value, Type::array)) return message_text(value);
        return each_element(value, [this](ondemand::value& item) {
            return is(item, Type::object) ? message(item) : message_text(item);
        });
    }

    bool message(ondemand::value& value) {
        ++shape_.messages;
        ondemand::object object;
        if (value.get_object().get(object)) return false;
        return each_member(object, [this](std::string_view name, ondemand::value& member) {
            if (name == "content" && is(member, Type::array))
                return each_element(member, [this](ondemand::value& part) { return content_part(part); });
            if (name == "name") ++shape_.names;
            const bool read = name == "role" || name == "content" || name == "refusal" || name == "name";
            return read ? text(member) : other(member, name.size());
        });
    }

    bool content_part(ondemand::value& value) {
        if (!is(value, Type::object)) return text(value);
        ondemand::object object;
        if (value.get_object().get(object)) return false;
        return each_member(object, [this](std::string_view name, ondemand::value& member) {
            if (name == "text" || name == "refusal") return text(member);
            return name == "type" || other(member, name.size());
        });
    }

    Operation operation_;
    PromptShape& shape_;
    const std::function<void(std::string_view)>& on_text_;
};

bool has_prompt(Operation operation) {
    return operation == Operation::chat || operation == Operation::text_completion ||
           operation == Operation::responses || operation == Operation::embeddings;
}

} // namespace

struct PromptReader::Impl {
    ondemand::parser parser{kKeptLimit};
};

PromptReader::PromptReader() : impl_(std::make_unique<Impl>()) {}
PromptReader::~PromptReader() = default;

std::optional<PromptShape> PromptReader::read(const std::string& body, Operation operation,
                                              const std::function<void(std::string_view)>& on_text) {
    if (!has_prompt(operation)) return std::nullopt;
    if (body.capacity() - body.size() < simdjson::SIMDJSON_PADDING) {
        std::string padded;
        padded.reserve(body.size() + simdjson::SIMDJSON_PADDING);
        padded = body;
        return read(padded, operation, on_text);
    }
    PromptShape shape;
    ondemand::parser once(body.size());
    ondemand::parser& parser = body.size() <= kKeptLimit ? impl_->parser : once;
    ondemand::document document;
    ondemand::object root;
    if (parser.iterate(body.data(), body.size(), body.capacity()).get(document) || document.get_object().get(root) ||
        !PromptWalk(operation, shape, on_text).root(root))
        return std::nullopt;
    return shape;
}

} // namespace tollgate::api
