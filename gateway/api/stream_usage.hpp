// Makes a streaming request ask for its usage, without writing the request anew (api-surface §4.2). Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace tollgate::api {

// `length` octets at `offset` of a body are replaced with `text`.
struct Edit {
    std::size_t offset = 0;
    std::size_t length = 0;
    std::string_view text;
};

// The edit that sets stream_options.include_usage to true and leaves every other octet as it is. Nothing if it is true
// already, or if stream_options is neither an object nor null. `body` has been checked: a JSON object without duplicate
// keys. `text` is in static storage.
[[nodiscard]] std::optional<Edit> ask_for_usage(std::string_view body);

} // namespace tollgate::api
