#include "tests/mock_provider/media.hpp"

#include "tests/mock_provider/chat.hpp"
#include "tests/mock_provider/chat_request.hpp"
#include "tests/mock_provider/text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <bit>
#include <charconv>
#include <optional>
#include <utility>

namespace tollgate::mock {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kDimensions = 16;
constexpr std::uint64_t kImageTokens = 272;
constexpr std::uint64_t kAudioOctetsPerToken = 32;

// The smallest picture that viewers accept: one transparent pixel.
constexpr std::string_view kPng = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAA"
                                  "AABJRU5ErkJggg==";

json::value number(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}

Reply json_reply(const json::object& object, const Usage& usage = {}) {
    Reply reply;
    reply.body = json::serialize(object) + "\n";
    reply.usage = usage;
    return reply;
}

/// Multiples of 1/256: exact as float32 and short in decimal, so that both encodings mean the same numbers.
std::vector<float> vector_of(std::string_view text, std::uint64_t dimensions) {
    std::vector<float> values;
    values.reserve(dimensions);
    for (std::uint64_t i = 0; i < dimensions; ++i) {
        values.push_back(static_cast<float>(static_cast<int>(hash_of(text, i) % 512) - 256) / 256.0F);
    }
    return values;
}

json::value encoded(const std::vector<float>& values, bool base64) {
    if (base64) {
        std::string octets;
        for (const float value : values) {
            const auto bits = std::bit_cast<std::uint32_t>(value);
            for (unsigned shift = 0; shift < 32; shift += 8)
                octets.push_back(static_cast<char>((bits >> shift) & 255U));
        }
        return json::string{base64_of(octets)};
    }
    json::array numbers;
    for (const float value : values) numbers.emplace_back(static_cast<double>(value));
    return numbers;
}

struct Input {
    std::string text;
    std::uint64_t tokens = 0;
};

Input token_input(const json::array& tokens) {
    return {json::serialize(tokens), tokens.size()};
}

/// `input` is a string, a list of strings, a list of tokens, or a list of lists of tokens.
std::vector<Input> embedding_inputs(const json::object& body) {
    std::vector<Input> inputs;
    const auto* input = body.if_contains("input");
    const auto add_text = [&](std::string text) {
        const auto tokens = tokens_of(text.size());
        inputs.push_back({std::move(text), tokens});
    };
    if (input == nullptr) return inputs;
    if (!input->is_array()) {
        add_text(text_in(*input));
        return inputs;
    }
    const auto& list = input->get_array();
    if (!list.empty() && list.front().is_number()) return {token_input(list)};
    for (const auto& entry : list) {
        if (entry.is_array())
            inputs.push_back(token_input(entry.get_array()));
        else
            add_text(text_in(entry));
    }
    return inputs;
}

json::object image_usage(const Usage& usage) {
    return {{"input_tokens", usage.told(usage.prompt)},
            {"input_tokens_details", {{"text_tokens", usage.told(usage.prompt)}, {"image_tokens", 0}}},
            {"output_tokens", usage.told(usage.completion)},
            {"output_tokens_details", {{"image_tokens", usage.told(usage.completion)}, {"text_tokens", 0}}},
            {"total_tokens", usage.told(usage.total())}};
}

Reply image_answer(std::string_view prompt, std::uint64_t count, bool as_url, const Behaviour& behaviour) {
    json::array data;
    for (std::uint64_t i = 0; i < count; ++i) {
        if (as_url)
            data.push_back(json::object{{"url", "https://images.invalid/" + hex_of(hash_of(prompt, i)) + ".png"}});
        else
            data.push_back(json::object{{"b64_json", kPng}});
    }
    Usage usage{.prompt = behaviour.prompt.value_or(tokens_of(prompt.size())),
                .completion = kImageTokens * count,
                .fault = behaviour.usage_fault};
    json::object answer{{"created", kCreated}, {"data", std::move(data)}};
    if (!behaviour.nousage) answer["usage"] = image_usage(usage);
    return json_reply(answer, usage);
}

} // namespace

Reply embeddings_reply(const json::object& body, const Behaviour& behaviour) {
    const auto inputs = embedding_inputs(body);
    if (inputs.empty()) return error_reply(400, "Missing required parameter: 'input'.", "missing_required_parameter");
    const auto dimensions = std::clamp<std::uint64_t>(number_in(body, "dimensions", kDimensions), 1, 8192);
    const bool base64 = string_in(body, "encoding_format") == "base64";
    Usage usage;
    json::array data;
    for (const auto& input : inputs) {
        usage.prompt += input.tokens;
        data.push_back(json::object{{"object", "embedding"},
                                    {"index", number(data.size())},
                                    {"embedding", encoded(vector_of(input.text, dimensions), base64)}});
    }
    usage.prompt = behaviour.prompt.value_or(usage.prompt);
    usage.fault = behaviour.usage_fault;
    json::object answer{{"object", "list"}, {"data", std::move(data)}, {"model", string_in(body, "model")}};
    if (!behaviour.nousage) {
        answer["usage"] = {{"prompt_tokens", usage.told(usage.prompt)}, {"total_tokens", usage.told(usage.prompt)}};
    }
    return json_reply(answer, usage);
}

Reply moderations_reply(const json::object& body) {
    const auto* input = body.if_contains("input");
    const bool many = input != nullptr && input->is_array();
    json::array results;
    const auto add = [&](const std::string& text) {
        const bool violent = text.find("kill") != std::string::npos;
        json::object categories;
        json::object scores;
        json::object applied;
        for (const auto* name : {"harassment", "harassment/threatening", "hate", "hate/threatening", "illicit",
                                 "illicit/violent", "self-harm", "self-harm/intent", "self-harm/instructions", "sexual",
                                 "sexual/minors", "violence", "violence/graphic"}) {
            const bool hit = violent && std::string_view{name} == "violence";
            categories[name] = hit;
            scores[name] = hit ? 0.75 : 0.0;
            applied[name] = json::array{"text"};
        }
        results.push_back(json::object{{"flagged", violent},
                                       {"categories", std::move(categories)},
                                       {"category_scores", std::move(scores)},
                                       {"category_applied_input_types", std::move(applied)}});
    };
    if (many && !input->get_array().empty() && input->get_array().front().is_string()) {
        for (const auto& entry : input->get_array()) add(text_in(entry));
    } else {
        add(input != nullptr ? text_in(*input) : std::string{});
    }
    const auto model = string_in(body, "model");
    return json_reply({{"id", "modr-" + hex_of(hash_of(json::serialize(body)))},
                       {"model", model.empty() ? "omni-moderation-latest" : model},
                       {"results", std::move(results)}});
}

Reply images_reply(const json::object& body, const Behaviour& behaviour) {
    const auto count = std::clamp<std::uint64_t>(number_in(body, "n", 1), 1, 10);
    return image_answer(string_in(body, "prompt"), count, string_in(body, "response_format") == "url", behaviour);
}

Reply image_edit_reply(const std::vector<Part>& parts, const Behaviour& behaviour) {
    if (parts.empty()) return error_reply(400, "The body is not multipart/form-data.");
    const bool has_image = std::any_of(parts.begin(), parts.end(),
                                       [](const Part& part) { return part.name == "image" || part.name == "image[]"; });
    if (!has_image) return error_reply(400, "Missing required parameter: 'image'.", "missing_required_parameter");
    return image_answer(part_named(parts, "prompt"), 1, part_named(parts, "response_format") == "url", behaviour);
}

Reply speech_reply(const json::object& body, const Behaviour& behaviour) {
    const auto input = string_in(body, "input");
    Reply reply;
    reply.content_type = string_in(body, "response_format") == "wav" ? "audio/wav" : "audio/mpeg";
    const auto size = behaviour.size.value_or(2048);
    reply.body = "ID3";
    const auto seed = hash_of(input);
    for (std::uint64_t i = reply.body.size(); i < size; ++i) {
        reply.body.push_back(static_cast<char>((seed >> (i % 8 * 8)) + i)); // every octet value, zero included
    }
    reply.usage.prompt = tokens_of(input.size());
    return reply;
}

Reply transcription_reply(const std::vector<Part>& parts, const Behaviour& behaviour, bool translation) {
    const auto audio = part_named(parts, "file");
    if (parts.empty()) return error_reply(400, "The body is not multipart/form-data.");
    if (audio.empty()) return error_reply(400, "Missing required parameter: 'file'.", "missing_required_parameter");
    const auto words = behaviour.tokens.value_or(9);
    std::string text;
    append_words(text, hash_of(audio), 0, words == 0 ? 0 : words * 8 - 1);
    Usage usage{.prompt = behaviour.prompt.value_or((audio.size() + kAudioOctetsPerToken - 1) / kAudioOctetsPerToken),
                .completion = words,
                .fault = behaviour.usage_fault};
    const auto format = part_named(parts, "response_format");
    if (format == "text" || format == "srt" || format == "vtt") {
        Reply reply;
        reply.content_type = "text/plain; charset=utf-8";
        reply.body = text + "\n";
        return reply;
    }
    json::object answer{{"text", text}};
    if (format == "verbose_json") {
        answer["task"] = translation ? "translate" : "transcribe";
        answer["language"] = "english";
        answer["duration"] = 3.5;
        answer["segments"] = json::array{};
        answer["usage"] = {{"type", "duration"}, {"seconds", 4}};
    } else if (!translation && !behaviour.nousage) {
        answer["usage"] = {{"type", "tokens"},
                           {"input_tokens", usage.told(usage.prompt)},
                           {"input_token_details", {{"text_tokens", 0}, {"audio_tokens", usage.told(usage.prompt)}}},
                           {"output_tokens", usage.told(usage.completion)},
                           {"total_tokens", usage.told(usage.total())}};
    }
    return json_reply(answer, usage);
}

} // namespace tollgate::mock
