// The ways of speaking in which one completion can be told as JSON and as a stream.
#pragma once

#include "gateway/api/route.hpp"

#include <cstdint>
#include <optional>

namespace tollgate::api::replay {

enum class Dialect : std::uint8_t { chat, completion, response };

// Of an answer of this route; nothing where only the JSON form is known.
[[nodiscard]] constexpr std::optional<Dialect> dialect_of(const Route& route) noexcept {
    if (!route.may_stream) return std::nullopt;
    if (route.operation == Operation::chat) return Dialect::chat;
    if (route.operation == Operation::text_completion) return Dialect::completion;
    if (route.operation == Operation::responses) return Dialect::response;
    return std::nullopt;
}

} // namespace tollgate::api::replay
