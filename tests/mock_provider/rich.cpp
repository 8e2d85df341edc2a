#include "tests/mock_provider/rich.hpp"

#include "tests/mock_provider/text.hpp"

#include <array>
#include <string_view>

namespace tollgate::mock {
namespace {

constexpr std::array<std::string_view, 2> kReasoning{"Let me ", "think \xF0\x9F\xA4\x94."};
constexpr std::array<std::string_view, 2> kRefusal{"I can't ", "help with that."};
constexpr std::string_view kAnnotations =
    R"([{"type":"url_citation","url_citation":{"url":"https://example.org/a","title":"A","start_index":0,"end_index":7}}])";

std::string joined(const std::array<std::string_view, 2>& parts) {
    return std::string(parts[0]).append(parts[1]);
}

std::string piece(const Generation& generation, std::uint64_t index) {
    std::string text;
    const auto begin = generation.text.piece_begin(index);
    append_words(text, generation.text.seed, begin, generation.text.piece_begin(index + 1) - begin);
    if (generation.rich) text.append("\xC3\xA9\xF0\x9F\x98\x80");
    return text;
}

std::string entry(std::string_view token, std::uint64_t index) {
    std::string out =
        R"({"token":")" + std::string(token) + R"(","logprob":-0.)" + std::to_string(index) + R"(01,"bytes":[)";
    for (const char c : token) {
        if (out.back() != '[') out.push_back(',');
        out.append(std::to_string(static_cast<unsigned char>(c)));
    }
    return out.append(R"(],"top_logprobs":[]})");
}

std::string member(std::string_view name, std::string_view text) {
    return "{\"" + std::string(name) + "\":\"" + std::string(text) + "\"}";
}

} // namespace

std::vector<Delta> rich_deltas(const Generation& generation) {
    std::vector<Delta> deltas;
    if (generation.refuse) {
        for (const auto part : kRefusal) deltas.push_back({member("refusal", part), "null"});
        return deltas;
    }
    if (generation.rich) {
        for (const auto part : kReasoning) deltas.push_back({member("reasoning_content", part), "null"});
    }
    for (std::uint64_t i = 0; i < generation.text.pieces; ++i) {
        const auto text = piece(generation, i);
        deltas.push_back({member("content", text),
                          generation.logprobs ? "{\"content\":[" + entry(text, i) + "],\"refusal\":null}" : "null"});
    }
    if (generation.rich) deltas.push_back({"{\"annotations\":" + std::string(kAnnotations) + "}", "null"});
    return deltas;
}

void append_rich_message(std::string& out, const Generation& generation) {
    out.append(R"({"role":"assistant","content":)");
    if (generation.refuse) {
        out.append(R"(null,"refusal":")").append(joined(kRefusal)).append("\"}");
        return;
    }
    out.push_back('"');
    for (std::uint64_t i = 0; i < generation.text.pieces; ++i) out.append(piece(generation, i));
    out.append(R"(","refusal":null)");
    if (generation.rich) {
        out.append(R"(,"reasoning_content":")").append(joined(kReasoning));
        out.append(R"(","annotations":)").append(kAnnotations);
    }
    out.push_back('}');
}

std::string rich_logprobs(const Generation& generation) {
    if (!generation.logprobs || generation.refuse) return "null";
    std::string out = "{\"content\":[";
    for (std::uint64_t i = 0; i < generation.text.pieces; ++i) {
        if (i > 0) out.push_back(',');
        out.append(entry(piece(generation, i), i));
    }
    return out.append("],\"refusal\":null}");
}

} // namespace tollgate::mock
