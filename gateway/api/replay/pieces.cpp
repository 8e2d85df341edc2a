#include "gateway/api/replay/pieces.hpp"

#include <algorithm>
#include <numeric>

namespace tollgate::api::replay {
namespace {

std::size_t piece_length(std::string_view escaped) {
    if (escaped.size() <= kPieceMost) return escaped.size();
    std::size_t length = 0, behind_space = 0;
    while (length < escaped.size()) {
        const std::size_t next = character_length(escaped.substr(length));
        if (length != 0 && length + next > kPieceMost) break;
        length += next;
        if (length >= kPieceLeast && escaped[length - 1] == ' ') behind_space = length;
    }
    return behind_space != 0 ? behind_space : length;
}

bool make_up(std::string_view escaped, const std::vector<std::string_view>& tokens) {
    for (const std::string_view token : tokens) {
        if (!escaped.starts_with(token)) return false;
        escaped.remove_prefix(token.size());
    }
    return escaped.empty();
}

// Half of an escaped pair is a token of its own with some models; no piece may end there.
bool ends_in_half(std::string_view text) {
    if (text.size() < 6) return false;
    const std::string_view last = text.substr(text.size() - 6);
    return last.starts_with("\\ud") || last.starts_with("\\uD");
}

std::vector<Piece> by_token(std::string_view escaped, const std::vector<std::string_view>& tokens) {
    std::vector<Piece> out;
    Piece piece;
    std::size_t begin = 0, end = 0;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        end += tokens[i].size();
        ++piece.entries;
        const std::string_view text = escaped.substr(begin, end - begin);
        const bool last = i + 1 == tokens.size();
        if (!last && (text.size() < kPieceLeast || ends_in_half(text))) continue;
        piece.text = text;
        out.push_back(piece);
        piece = {.text = {}, .first_entry = i + 1};
        begin = end;
    }
    return out;
}

bool is_plain(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

} // namespace

std::vector<Piece> cut(std::string_view escaped) {
    std::vector<Piece> out;
    while (!escaped.empty()) {
        out.push_back({.text = escaped.substr(0, piece_length(escaped))});
        escaped.remove_prefix(out.back().text.size());
    }
    return out;
}

std::vector<Piece> cut(std::string_view escaped, const std::vector<std::string_view>& tokens) {
    if (!tokens.empty() && make_up(escaped, tokens)) return by_token(escaped, tokens);
    std::vector<Piece> out = cut(escaped);
    if (out.empty() && !tokens.empty()) out.emplace_back();
    const std::size_t each = out.empty() ? 0 : (tokens.size() + out.size() - 1) / out.size();
    std::size_t first = 0;
    for (Piece& piece : out) {
        piece.first_entry = first;
        piece.entries = std::min(each, tokens.size() - first);
        first += piece.entries;
    }
    return out;
}

std::vector<std::string_view> elements_of(const Value& array) {
    std::vector<std::string_view> out;
    if (!array.is_array()) return out;
    Elements elements(array);
    while (const auto element = elements.next()) out.push_back(element->text);
    return out;
}

void append_array(std::string& out, const std::vector<std::string_view>& elements, std::size_t first,
                  std::size_t count) {
    out += '[';
    for (std::size_t i = first; i < first + count && i < elements.size(); ++i) {
        if (i != first) out += ',';
        out += elements[i];
    }
    out += ']';
}

std::vector<std::string_view> tokens_of(const std::vector<std::string_view>& entries) {
    std::vector<std::string_view> out;
    out.reserve(entries.size());
    for (const std::string_view entry : entries) {
        const auto value = read_value(entry);
        const auto members = value ? members_of(*value) : std::nullopt;
        const Value token = members ? find(*members, "token") : Value{};
        out.push_back(token.is_string() ? token.inner() : std::string_view());
    }
    return out;
}

std::string new_id(std::string_view kept, std::string_view fallback, std::string_view token) {
    const std::size_t mark = kept.find_first_of("-_");
    const bool prefixed = mark != std::string_view::npos && mark <= 16 && mark != 0 &&
                          std::ranges::all_of(kept.substr(0, mark), is_plain);
    return std::string(prefixed ? kept.substr(0, mark + 1) : fallback).append(token);
}

} // namespace tollgate::api::replay
