#include "gateway/exchange/passed_on.hpp"

#include "gateway/base/text.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace tollgate::exchange {
namespace {

constexpr std::array<std::string_view, 15> kCredentials{
    "key",           "api_key", "api-key", "apikey",        "x-api-key",        "x-goog-api-key",
    "access_token",  "token",   "auth",    "authorization", "subscription-key", "subscription_key",
    "client_secret", "secret",  "sig"};
constexpr std::array<std::string_view, 4> kBetas{"assistants=v2", "chatkit_beta=v1", "agents=v1", "realtime=v1"};

// The part of `rest` before the first separator, which is taken off with it.
std::string_view take(std::string_view& rest, char separator) {
    const std::size_t end = rest.find(separator);
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return part;
}

std::optional<unsigned> hex_digit(char c) {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
    return std::nullopt;
}

std::string decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
        const auto low = high ? hex_digit(text[i + 2]) : std::nullopt;
        out += low ? static_cast<char>(*high << 4U | *low) : text[i];
        if (low) i += 2;
    }
    return out;
}

bool carries_credential(std::string_view parameter) {
    while (!parameter.empty()) {
        std::string_view part = take(parameter, ';');
        const std::string written = decoded(take(part, '='));
        const std::string_view name = trim(std::string_view(written).substr(0, written.find('['))); // key[]=…
        if (std::ranges::any_of(kCredentials, [&](std::string_view known) { return iequals(known, name); }))
            return true;
    }
    return false;
}

} // namespace

void append_passed_query(std::string& out, std::string_view query) {
    char separator = '?';
    while (!query.empty()) {
        const std::string_view parameter = take(query, '&');
        if (parameter.empty() || carries_credential(parameter)) continue;
        out += separator;
        out += parameter;
        separator = '&';
    }
}

std::string passed_beta(std::string_view value) {
    std::string out;
    while (!value.empty()) {
        const std::string_view one = trim(take(value, ','));
        if (std::ranges::find(kBetas, one) == kBetas.end()) continue;
        if (!out.empty()) out += ", ";
        out += one;
    }
    return out;
}

bool has_foreign_charset(std::string_view value) {
    (void)take(value, ';'); // the type
    bool said = false;
    while (!value.empty()) {
        std::string_view parameter = take(value, ';');
        if (!iequals(trim(take(parameter, '=')), "charset")) continue;
        std::string_view charset = trim(parameter);
        if (charset.size() >= 2 && charset.front() == '"' && charset.back() == '"')
            charset = charset.substr(1, charset.size() - 2);
        if (said || (!iequals(charset, "utf-8") && !iequals(charset, "utf8"))) return true;
        said = true;
    }
    return false;
}

} // namespace tollgate::exchange
