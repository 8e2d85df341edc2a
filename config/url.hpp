// The URLs of a config, taken apart. Pure; an error is a reason that never quotes the URL (it may hold a password).
#pragma once

#include "gateway/base/secret.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tollgate::config {

struct BaseUrl {
    bool https = true;
    std::string host; // IPv6 without brackets
    std::uint16_t port = 443;
    std::string path; // "/v1" or empty
};
[[nodiscard]] std::expected<BaseUrl, std::string> parse_base_url(std::string_view text);

// A base URL that may have a query. `target` is what the request line says: path and query, as written.
struct WebhookUrl {
    BaseUrl base;
    std::string target; // "/hooks/1?token=…"
};
[[nodiscard]] std::expected<WebhookUrl, std::string> parse_webhook_url(std::string_view text);

struct RedisUrl {
    std::string host;
    std::uint16_t port = 6379;
    std::vector<std::pair<std::string, std::uint16_t>> others; // further hosts, separated by commas
    std::string user;
    Secret password;
    unsigned database = 0;
};
[[nodiscard]] std::expected<RedisUrl, std::string> parse_redis_url(std::string_view text);

} // namespace tollgate::config
