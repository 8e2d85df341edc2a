// Amounts of money as the operator writes them → integers, from the decimal text itself: no binary fraction is ever
// between the two (limits-cache §2.1). Pure. Budgets are counted in nano-USD, prices in pico-USD for one unit; both fit
// a signed 64-bit integer, whose largest value is 9.2 billion USD and 9.2 million USD a unit.
#pragma once

#include "config/values.hpp"

#include <cstdint>
#include <string_view>

namespace tollgate::config {

// "2000", "0.05": US dollars with at most nine decimal places → nano-USD.
[[nodiscard]] Parsed<std::int64_t> parse_usd(std::string_view text);

// "0.15": US dollars for a million tokens with at most six decimal places → pico-USD a token.
[[nodiscard]] Parsed<std::int64_t> parse_usd_per_million(std::string_view text);

// "0.04": US dollars for one image, second, request or tool call, at most twelve decimal places → pico-USD.
[[nodiscard]] Parsed<std::int64_t> parse_usd_each(std::string_view text);

// The text of a JSON number (RFC 8259 §6), USD for one unit, as other gateways' price files hold it: "1.5e-07".
// What is finer than a pico-USD is rounded up and said, so that nothing becomes free or cheaper.
struct PicoUsd {
    std::int64_t value = 0;
    bool rounded = false;

    friend bool operator==(const PicoUsd&, const PicoUsd&) = default;
};
[[nodiscard]] Parsed<PicoUsd> parse_json_usd_each(std::string_view text);

} // namespace tollgate::config
