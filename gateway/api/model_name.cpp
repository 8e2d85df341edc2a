#include "gateway/api/model_name.hpp"

#include "gateway/base/text.hpp"

#include <algorithm>
#include <array>

namespace tollgate::api {
namespace {

bool is_model_char(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == ':' || c == '/' || c == '@' || c == '-';
}

bool has_dot_segment(std::string_view name) noexcept {
    while (true) {
        const std::size_t slash = name.find('/');
        const std::string_view segment = name.substr(0, slash);
        if (segment == "." || segment == "..") return true;
        if (slash == std::string_view::npos) return false;
        name.remove_prefix(slash + 1);
    }
}

} // namespace

bool is_clean_model(std::string_view name) noexcept {
    return !name.empty() && name.size() <= kMaxModelOctets && std::ranges::all_of(name, is_model_char) &&
           !has_dot_segment(name);
}

std::optional<Error> judge_model(std::string_view name) {
    if (is_clean_model(name)) return std::nullopt;
    Error error;
    error.openai_type = "invalid_request_error";
    error.param = "model";
    const bool foreign = std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
    if (foreign && name.size() <= kMaxModelOctets) {
        error.type = ErrorType::caller_model_unknown;
        error.status = 404;
        error.code = "model_not_found";
        error.message = "The model does not exist: its name holds characters outside ASCII, which no model name does.";
        return error;
    }
    error.type = ErrorType::caller_invalid_request;
    error.status = 400;
    error.code = "invalid_value";
    error.message = "`model` must be 1 to 128 characters of A-Z a-z 0-9 . _ : / @ - without '.' or '..' segments.";
    return error;
}

bool is_forbidden_member(std::string_view name) noexcept {
    static constexpr std::array<std::string_view, 11> kNames{
        "api_base", "base_url",    "api_key",    "api_version", "custom_llm_provider", "extra_headers",
        "proxy",    "user_config", "model_list", "models",      "fallbacks", // lists of further models would go round
                                                                             // the allow-lists
    };
    return std::ranges::any_of(kNames, [&](std::string_view forbidden) { return folds_to(name, forbidden); });
}

bool folds_to(std::string_view name, std::string_view lower) noexcept {
    static constexpr std::string_view kLongS = "\xC5\xBF";
    static constexpr std::string_view kKelvin = "\xE2\x84\xAA";
    if (name.size() < lower.size()) return false;
    for (const char expected : lower) {
        if (name.empty()) return false;
        if (ascii_lower(name.front()) == expected) {
            name.remove_prefix(1);
        } else if (expected == 's' && name.starts_with(kLongS)) {
            name.remove_prefix(kLongS.size());
        } else if (expected == 'k' && name.starts_with(kKelvin)) {
            name.remove_prefix(kKelvin.size());
        } else {
            return false;
        }
    }
    return name.empty();
}

} // namespace tollgate::api
