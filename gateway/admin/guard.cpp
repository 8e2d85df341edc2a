#include "gateway/admin/guard.hpp"

#include "config/address.hpp"
#include "gateway/base/crypto.hpp"
#include "gateway/base/text.hpp"
#include "policy/key_text.hpp"
#include "policy/store_files.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

namespace tollgate::admin {
namespace {

constexpr std::string_view kFile = "/admin-token";
constexpr unsigned kMostFailures = 30; // a minute
constexpr auto kWindow = std::chrono::minutes(1);

// "host", "host:port", "[v6]:port"; the port must be the listener's if it is said.
bool is_ours(std::string_view host, const config::Endpoint& listener) {
    std::string_view name = host;
    const std::size_t colon = host.rfind(':');
    const bool bracketed = host.starts_with('[');
    if (colon != std::string_view::npos && (!bracketed || host.find(']') < colon)) {
        const auto port = parse_decimal(host.substr(colon + 1));
        if (!port || (listener.port != 0 && *port != listener.port)) return false;
        name = host.substr(0, colon);
    }
    if (bracketed) {
        if (!name.ends_with(']')) return false;
        name = name.substr(1, name.size() - 2);
    }
    if (iequals(name, "localhost")) return true;
    const auto address = config::parse_address(name);
    return address && (config::is_loopback(*address) || name == listener.host);
}

bool is_json(std::string_view type) {
    return iequals(trim(type.substr(0, type.find(';'))), "application/json");
}

} // namespace

std::expected<Secret, std::string> load_or_make_token(const std::string& store_path) {
    return policy::load_or_make_secret(store_path, std::string(store_path).append(kFile));
}

std::expected<Secret, std::string> load_token(const std::string& store_path) {
    return policy::load_secret(std::string(store_path).append(kFile));
}

std::optional<Problem> check_head(const Head& head, const config::Endpoint& listener) {
    if (!head.host || !is_ours(*head.host, listener))
        return Problem{.status = 421, .code = "wrong_host", .detail = "this is the admin listener of another name"};
    if (head.origin)
        return Problem{.status = 403, .code = "forbidden_origin", .detail = "web pages have no access to this API"};
    if (head.has_body && (!head.content_type || !is_json(*head.content_type)))
        return Problem{.status = 415, .code = "not_json", .detail = "a body has the type application/json"};
    return std::nullopt;
}

std::optional<Problem> TokenGuard::check(const std::optional<std::string_view>& authorization, TimePoint now) {
    constexpr std::string_view kScheme = "bearer ";
    if (authorization && authorization->size() > kScheme.size() &&
        iequals(authorization->substr(0, kScheme.size()), kScheme)) {
        // Hashed first: equal lengths, and nothing of the token in the comparison's timing.
        const auto sent = crypto::sha256(trim(authorization->substr(kScheme.size())));
        if (crypto::equal_constant_time(sent, crypto::sha256(token_.reveal()))) return std::nullopt;
    }
    if (now - since_ >= kWindow) {
        since_ = now;
        failures_ = 0;
    }
    if (++failures_ > kMostFailures) {
        const auto left = std::chrono::ceil<std::chrono::seconds>(since_ + kWindow - now);
        return Problem{.status = 429,
                       .code = "too_many_failures",
                       .detail = "too many requests without the right token",
                       .errors = {},
                       .place = {},
                       .retry_after = static_cast<unsigned>(std::max<std::int64_t>(1, left.count()))};
    }
    return Problem{.status = 401,
                   .code = "unauthenticated",
                   .detail = "send the content of the store's admin-token as \"Authorization: Bearer <token>\""};
}

} // namespace tollgate::admin
