#include "gateway/api/json_value.hpp"

#include "gateway/api/json_precheck.hpp"

#include <algorithm>
#include <cmath>

namespace tollgate::api {
namespace {

namespace json = boost::json;

// Recursion is bounded by the parser's depth.
bool is_finite(const json::value& value) {
    if (const double* number = value.if_double()) return std::isfinite(*number);
    if (const json::array* array = value.if_array()) return std::ranges::all_of(*array, is_finite);
    if (const json::object* object = value.if_object())
        return std::ranges::all_of(*object, [](const auto& member) { return is_finite(member.value()); });
    return true;
}

} // namespace

std::optional<json::value> parse_value(std::string_view text, json::storage_ptr memory) {
    json::parse_options options;
    options.max_depth = kMaxJsonDepth;
    json::error_code error;
    json::value value = json::parse(json::string_view(text.data(), text.size()), error, std::move(memory), options);
    if (error || !is_finite(value)) return std::nullopt;
    return value;
}

} // namespace tollgate::api
