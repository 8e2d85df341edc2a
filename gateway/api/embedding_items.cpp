#include "gateway/api/embedding_items.hpp"

#include "gateway/base/text.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <numeric>

namespace tollgate::api {
namespace {

namespace ondemand = simdjson::ondemand;
using ondemand::json_type;

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t kMostDimensions = 65'536;

// The text of any value, without white space behind it.
std::optional<std::string_view> raw(ondemand::value value) {
    json_type type{};
    if (value.type().get(type) != simdjson::SUCCESS) return std::nullopt;
    std::string_view text;
    if (type == json_type::array) {
        ondemand::array list;
        if (value.get_array().get(list) != simdjson::SUCCESS || list.raw_json().get(text) != simdjson::SUCCESS)
            return std::nullopt;
    } else if (type == json_type::object) {
        ondemand::object object;
        if (value.get_object().get(object) != simdjson::SUCCESS || object.raw_json().get(text) != simdjson::SUCCESS)
            return std::nullopt;
    } else {
        text = value.raw_json_token();
    }
    return trim(text);
}

// A list of numbers is one input, a list of lists or of texts is several.
bool take_list(ondemand::array list, EmbeddingInputs& out, bool& one) {
    std::optional<json_type> kind;
    for (auto item : list) {
        ondemand::value value;
        json_type type{};
        if (std::move(item).get(value) != simdjson::SUCCESS || value.type().get(type) != simdjson::SUCCESS)
            return false;
        if (kind && *kind != type) return false;
        kind = type;
        if (type == json_type::number) {
            one = true;
            double ignored = 0;
            if (value.get_double().get(ignored) != simdjson::SUCCESS) return false;
            continue;
        }
        if (type != json_type::string && type != json_type::array) return false;
        const auto text = raw(value);
        if (!text || out.items.size() == kMostInputs) return false;
        out.items.push_back(*text);
    }
    return kind.has_value();
}

bool take_input(ondemand::value value, const std::string& body, EmbeddingInputs& out) {
    json_type type{};
    if (value.type().get(type) != simdjson::SUCCESS) return false;
    if (type == json_type::string) {
        const auto text = raw(value);
        if (!text) return false;
        out.items.push_back(*text);
        out.offset = static_cast<std::size_t>(text->data() - body.data());
        out.length = text->size();
        return true;
    }
    if (type != json_type::array) return false;
    ondemand::array list;
    if (value.get_array().get(list) != simdjson::SUCCESS) return false;
    std::string_view whole;
    if (list.raw_json().get(whole) != simdjson::SUCCESS) return false;
    whole = trim(whole);
    out.offset = static_cast<std::size_t>(whole.data() - body.data());
    out.length = whole.size();
    bool one = false;
    (void)list.reset();
    if (!take_list(list, out, one)) return false;
    if (one) out.items.push_back(whole);
    return true;
}

void append_base64(std::string& out, std::string_view octets) {
    for (std::size_t at = 0; at < octets.size(); at += 3) {
        const std::size_t left = std::min<std::size_t>(3, octets.size() - at);
        std::uint32_t bits = 0;
        for (std::size_t i = 0; i < 3; ++i)
            bits = bits << 8 | (i < left ? static_cast<unsigned char>(octets[at + i]) : 0U);
        for (std::size_t i = 0; i < 4; ++i) out += i <= left ? kDigits[bits >> (18 - 6 * i) & 63U] : '=';
    }
}

constexpr auto kValues = [] {
    std::array<std::int8_t, 256> out{};
    out.fill(-1);
    for (std::size_t i = 0; i < kDigits.size(); ++i)
        out[static_cast<unsigned char>(kDigits[i])] = static_cast<std::int8_t>(i);
    return out;
}();

std::optional<std::string> from_base64(std::string_view text) {
    while (text.ends_with('=')) text.remove_suffix(1);
    if (text.size() % 4 == 1) return std::nullopt;
    std::string out;
    out.reserve(text.size() / 4 * 3 + 2);
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : text) {
        const int value = kValues[static_cast<unsigned char>(c)];
        if (value < 0) return std::nullopt;
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        held += 6;
        if (held < 8) continue;
        held -= 8;
        out += static_cast<char>(bits >> held & 0xFFU);
    }
    return out;
}

// Only white space follows the value.
bool ended(ondemand::document& document) {
    return document.current_location().error() != simdjson::SUCCESS;
}

std::optional<std::string> to_base64(std::string_view list) {
    const simdjson::padded_string padded(list);
    ondemand::parser parser;
    ondemand::document document;
    ondemand::array numbers;
    if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
        document.get_array().get(numbers) != simdjson::SUCCESS)
        return std::nullopt;
    std::string octets;
    for (auto item : numbers) {
        double number = 0;
        if (item.get_double().get(number) != simdjson::SUCCESS || octets.size() == kMostDimensions * 4)
            return std::nullopt;
        const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(number));
        for (unsigned shift = 0; shift < 32; shift += 8) octets += static_cast<char>(bits >> shift & 0xFFU);
    }
    if (!ended(document)) return std::nullopt;
    std::string out = "\"";
    append_base64(out, octets);
    out += '"';
    return out;
}

std::optional<std::string> to_numbers(std::string_view quoted) {
    const auto octets = from_base64(quoted.substr(1, quoted.size() - 2));
    if (!octets || octets->size() % 4 != 0 || octets->size() > kMostDimensions * 4) return std::nullopt;
    std::string out = "[";
    for (std::size_t at = 0; at < octets->size(); at += 4) {
        std::uint32_t bits = 0;
        for (std::size_t i = 4; i-- > 0;) bits = bits << 8 | static_cast<unsigned char>((*octets)[at + i]);
        const auto number = std::bit_cast<float>(bits);
        if (number - number != 0) return std::nullopt; // JSON has neither infinity nor NaN
        std::array<char, 32> text{};
        const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr; // shortest that reads back
        if (at > 0) out += ',';
        out.append(text.data(), end);
    }
    out += ']';
    return out;
}

void share_tokens(std::uint64_t total, const std::vector<std::string_view>& inputs, std::vector<Embedding>& items) {
    const std::uint64_t octets = std::accumulate(inputs.begin(), inputs.end(), std::uint64_t{0},
                                                 [](std::uint64_t sum, auto text) { return sum + text.size(); });
    std::uint64_t left = total;
    for (std::size_t i = 0; i < items.size(); ++i) {
        const bool last = i + 1 == items.size();
        const auto share = octets == 0 ? 0
                                       : static_cast<std::uint64_t>(static_cast<double>(total) *
                                                                    static_cast<double>(inputs[i].size()) /
                                                                    static_cast<double>(octets));
        items[i].tokens = last ? left : std::min(left, share);
        left -= items[i].tokens;
    }
}

bool take_data(ondemand::array data, std::vector<Embedding>& items) {
    std::size_t seen = 0;
    for (auto entry : data) {
        ondemand::object item;
        std::uint64_t index = 0;
        std::optional<std::string_view> value;
        bool has_index = false;
        if (std::move(entry).get(item) != simdjson::SUCCESS) return false;
        for (auto member : item) {
            std::string_view name;
            ondemand::field field;
            if (std::move(member).get(field) != simdjson::SUCCESS ||
                field.unescaped_key().get(name) != simdjson::SUCCESS)
                return false;
            if (name == "index") {
                has_index = field.value().get_uint64().get(index) == simdjson::SUCCESS;
            } else if (name == "embedding") {
                value = raw(field.value());
            } else if (!raw(field.value())) {
                return false;
            }
        }
        if (!has_index || !value || value->size() < 2 || index >= items.size() || !items[index].value.empty())
            return false;
        items[index].value = *value;
        ++seen;
    }
    return seen == items.size();
}

} // namespace

std::optional<EmbeddingInputs> embedding_inputs(const std::string& body) {
    const simdjson::padded_string_view padded(body.data(), body.size(), body.capacity());
    if (body.capacity() - body.size() < simdjson::SIMDJSON_PADDING) return std::nullopt;
    ondemand::parser parser;
    ondemand::document document;
    ondemand::object root;
    if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
        document.get_object().get(root) != simdjson::SUCCESS)
        return std::nullopt;
    EmbeddingInputs out;
    for (auto member : root) {
        ondemand::field field;
        std::string_view name;
        if (std::move(member).get(field) != simdjson::SUCCESS || field.unescaped_key().get(name) != simdjson::SUCCESS)
            return std::nullopt;
        if (name == "input") {
            if (!take_input(field.value(), body, out)) return std::nullopt;
        } else if (name == "encoding_format") {
            std::string_view format;
            if (field.value().get_string().get(format) != simdjson::SUCCESS) return std::nullopt;
            if (format != "base64" && format != "float") return std::nullopt;
            out.base64 = format == "base64";
        }
    }
    if (out.items.empty()) return std::nullopt;
    return out;
}

std::string with_inputs(std::string_view body, const EmbeddingInputs& inputs, const std::vector<std::size_t>& wanted) {
    std::string out;
    out.reserve(body.size() + 2 + simdjson::SIMDJSON_PADDING);
    out += body.substr(0, inputs.offset);
    char separator = '[';
    for (const std::size_t index : wanted) {
        out += separator;
        out += inputs.items[index];
        separator = ',';
    }
    out += ']';
    out += body.substr(inputs.offset + inputs.length);
    return out;
}

std::optional<EmbeddingAnswer> read_embeddings(std::string_view answer, const std::vector<std::string_view>& inputs) {
    const simdjson::padded_string padded(answer);
    ondemand::parser parser;
    ondemand::document document;
    ondemand::object root;
    if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
        document.get_object().get(root) != simdjson::SUCCESS)
        return std::nullopt;
    EmbeddingAnswer out;
    out.items.resize(inputs.size());
    std::uint64_t total = 0;
    bool whole = false;
    for (auto member : root) {
        ondemand::field field;
        std::string_view name;
        if (std::move(member).get(field) != simdjson::SUCCESS || field.unescaped_key().get(name) != simdjson::SUCCESS)
            return std::nullopt;
        if (name == "data") {
            ondemand::array data;
            whole = field.value().get_array().get(data) == simdjson::SUCCESS && take_data(data, out.items);
            if (!whole) return std::nullopt;
        } else if (name == "model") {
            std::string_view model;
            if (field.value().get_string().get(model) != simdjson::SUCCESS) return std::nullopt;
            out.model = model;
        } else if (name == "usage") {
            ondemand::object usage;
            if (field.value().get_object().get(usage) != simdjson::SUCCESS) continue;
            std::uint64_t told = 0;
            if (usage.find_field_unordered("prompt_tokens").get_uint64().get(told) == simdjson::SUCCESS) total = told;
        } else if (!raw(field.value())) {
            return std::nullopt;
        }
    }
    if (!whole || !ended(document)) return std::nullopt;
    share_tokens(total, inputs, out.items);
    return out;
}

std::optional<std::string> embedding_as(std::string_view value, bool base64) {
    if (value.size() < 2) return std::nullopt;
    const bool is_base64 = value.front() == '"';
    if (is_base64 == base64) return std::string(value);
    return is_base64 ? to_numbers(value) : to_base64(value);
}

std::optional<std::string> write_embeddings(const EmbeddingAnswer& answer, bool base64) {
    std::string out = R"({"object":"list","data":[)";
    std::uint64_t tokens = 0;
    for (std::size_t i = 0; i < answer.items.size(); ++i) {
        const auto value = embedding_as(answer.items[i].value, base64);
        if (!value) return std::nullopt;
        if (i > 0) out += ',';
        out += R"({"object":"embedding","index":)";
        out += std::to_string(i);
        out += R"(,"embedding":)";
        out += *value;
        out += '}';
        tokens += answer.items[i].tokens;
    }
    out += R"(],"model":)";
    append_json_string(out, answer.model);
    const std::string count = std::to_string(tokens);
    out += R"(,"usage":{"prompt_tokens":)" + count + R"(,"total_tokens":)" + count + "}}";
    return out;
}

std::string pack_embedding(const Embedding& item, std::string_view model) {
    std::string out = std::to_string(item.tokens);
    out += '\n';
    out += std::to_string(model.size());
    out += '\n';
    out += model;
    out += item.value;
    return out;
}

std::optional<PackedEmbedding> unpack_embedding(std::string_view packed) {
    const std::size_t first = packed.find('\n');
    const std::size_t second = first == std::string_view::npos ? first : packed.find('\n', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    const auto tokens = parse_decimal(packed.substr(0, first));
    const auto size = parse_decimal(packed.substr(first + 1, second - first - 1));
    const std::string_view rest = packed.substr(second + 1);
    if (!tokens || !size || *size > rest.size()) return std::nullopt;
    return PackedEmbedding{.model = rest.substr(0, *size), .value = rest.substr(*size), .tokens = *tokens};
}

} // namespace tollgate::api
