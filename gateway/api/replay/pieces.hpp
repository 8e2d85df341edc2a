// Texts cut into what one event carries, with the log probabilities that belong to it. Private to the replay.
#pragma once

#include "gateway/api/replay/json_text.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace tollgate::api::replay {

inline constexpr std::size_t kPieceLeast = 64, kPieceMost = 256; // octets of escaped text

struct Piece {
    std::string_view text;                    // escaped
    std::size_t first_entry = 0, entries = 0; // of the log probabilities
};

// Never within a character; behind a space where one is near.
[[nodiscard]] std::vector<Piece> cut(std::string_view escaped);

// The same for a text whose tokens are known: a piece ends where one of them does, and has their entries. Where the
// tokens are not the text, the entries are spread over the pieces; there is at least one piece if there are entries.
[[nodiscard]] std::vector<Piece> cut(std::string_view escaped, const std::vector<std::string_view>& tokens);

// The texts of all elements of an array.
[[nodiscard]] std::vector<std::string_view> elements_of(const Value& array);
// Appends `count` of them from `first` as an array.
void append_array(std::string& out, const std::vector<std::string_view>& elements, std::size_t first,
                  std::size_t count);
// The escaped `token` member of each entry of a list of log probabilities; empty where there is none.
[[nodiscard]] std::vector<std::string_view> tokens_of(const std::vector<std::string_view>& entries);

// The kept id's prefix with a new token.
[[nodiscard]] std::string new_id(std::string_view kept, std::string_view fallback, std::string_view token);

} // namespace tollgate::api::replay
