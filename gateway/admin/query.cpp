#include "config/diagnostics.hpp"
#include "gateway/admin/decide.hpp"
#include "gateway/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tollgate::admin {
namespace {

constexpr std::size_t kLongest = 512;

Problem bad(std::string detail) {
    return {.status = 400, .code = "invalid_query", .detail = std::move(detail)};
}

int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char low = ascii_lower(c);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

std::optional<std::string> decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+') {
            out += ' ';
        } else if (text[i] != '%') {
            out += text[i];
        } else {
            const int high = i + 1 < text.size() ? digit(text[i + 1]) : -1;
            const int low = i + 2 < text.size() ? digit(text[i + 2]) : -1;
            if (high < 0 || low < 0) return std::nullopt;
            out += static_cast<char>(high * 16 + low);
            i += 2;
        }
    }
    return out;
}

} // namespace

std::expected<Query, Problem> parse_query(std::string_view query, std::span<const std::string_view> known) {
    Query out;
    while (!query.empty()) {
        const std::string_view item = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(item.size() + 1, query.size()));
        if (item.empty()) continue;
        const std::size_t equals = std::min(item.find('='), item.size());
        const std::string name(item.substr(0, equals));
        auto value = decoded(item.substr(std::min(equals + 1, item.size())));
        if (!value || value->size() > kLongest) return std::unexpected(bad("the query cannot be read"));
        if (std::ranges::find(known, name) == known.end()) {
            const std::string hint = config::did_you_mean(name, known);
            return std::unexpected(bad(fmt::format("unknown query member `{}`{}{}", config::quotable(name),
                                                   hint.empty() ? ", known: " + config::join(known) : ": ", hint)));
        }
        if (!out.emplace(name, std::move(*value)).second)
            return std::unexpected(bad(fmt::format("the query says `{}` twice", name)));
    }
    return out;
}

std::expected<std::int64_t, Problem> page_size(const Query& query, std::int64_t otherwise, std::int64_t most) {
    const auto found = query.find("limit");
    if (found == query.end()) return otherwise;
    const auto number = parse_decimal(found->second);
    if (number && *number >= 1 && *number <= static_cast<std::uint64_t>(most))
        return static_cast<std::int64_t>(*number);
    return std::unexpected(bad(fmt::format("`limit` is a number from 1 to {}", most)));
}

} // namespace tollgate::admin
