// What an answer cost, in the usage that ends its stream, for clients that ask (observability §5.2).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate::exchange {

struct Exchange;

// The client sent `x-tollgate-receipt: 1`.
[[nodiscard]] bool wants_receipt(const Exchange& ex) noexcept;

// Behind the opening brace of the first `usage` object in events that are JSON; nothing if there is none.
[[nodiscard]] std::optional<std::size_t> place_in_usage(std::string_view events) noexcept;

// The events with a `tollgate` member first in their usage: cost_usd (absent if unknown), complete, cache, upstream,
// request_id. Before settling the cost is what the usage that was reported so far will settle to.
[[nodiscard]] std::string with_receipt(const Exchange& ex, std::string_view events, bool complete);

} // namespace tollgate::exchange
