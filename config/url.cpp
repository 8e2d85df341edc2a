#include "config/url.hpp"

#include "config/address.hpp"
#include "gateway/base/crypto.hpp"
#include "gateway/base/text.hpp"

#include <algorithm>
#include <optional>

namespace tollgate::config {
namespace {

using Failure = std::unexpected<std::string>;

struct HostPort {
    std::string host;
    std::optional<std::uint16_t> port;
};

bool is_host_character(char c) noexcept {
    const char lower = ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

// host, host:port, [v6] or [v6]:port (RFC 3986 §3.2).
std::expected<HostPort, std::string> split_authority(std::string_view text) {
    HostPort out;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) return Failure("the bracket is not closed");
        out.host = text.substr(1, end - 1);
        const std::optional<Address> address = parse_address(out.host);
        if (!address || !address->v6) return Failure("the brackets hold no IPv6 address");
        text.remove_prefix(end + 1);
    } else {
        const std::size_t end = std::min(text.find(':'), text.size());
        out.host = text.substr(0, end);
        if (out.host.empty()) return Failure("the host is missing");
        if (!std::ranges::all_of(out.host, is_host_character) || out.host.size() > 253 || out.host.starts_with('.')) {
            return Failure("the host holds characters that no host name has");
        }
        if (disguised_address(out.host)) return Failure("write the IPv4 address as four decimal numbers");
        text.remove_prefix(end);
    }
    if (text.empty()) return out;
    const std::optional<std::uint64_t> port = parse_decimal(text.substr(1));
    if (text.front() != ':' || !port || *port == 0 || *port > 65'535) return Failure("the port is not 1 to 65535");
    out.port = static_cast<std::uint16_t>(*port);
    return out;
}

// Takes `prefix` away, letters of either case (RFC 3986 §3.1).
bool skip_prefix(std::string_view& text, std::string_view prefix) {
    if (!iequals(text.substr(0, prefix.size()), prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

bool clean_path(std::string_view path) noexcept {
    constexpr std::string_view kMarks = "/._~-:@!$&'()*+,;=";
    const auto allowed = [&](char c) { return is_host_character(c) || kMarks.find(c) != std::string_view::npos; };
    if (!std::ranges::all_of(path, allowed) || path.find("//") != std::string_view::npos) return false;
    for (std::string_view rest = path; !rest.empty();) {
        const std::size_t end = std::min(rest.find('/'), rest.size());
        const std::string_view segment = rest.substr(0, end);
        if (segment == "." || segment == "..") return false;
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return true;
}

std::optional<std::string> percent_decode(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const std::optional<std::string> octet =
            i + 2 < text.size() ? crypto::from_hex(text.substr(i + 1, 2)) : std::nullopt;
        if (!octet) return std::nullopt;
        out += *octet;
        i += 2;
    }
    return out;
}

// "user:password", ":password" or "user"; percent-encoded.
bool read_user(std::string_view text, RedisUrl& out) {
    const std::size_t colon = text.find(':');
    const std::optional<std::string> user = percent_decode(text.substr(0, colon));
    const std::optional<std::string> password =
        percent_decode(colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1));
    if (!user || !password) return false;
    out.user = *user;
    out.password = Secret(*password);
    return true;
}

} // namespace

std::expected<BaseUrl, std::string> parse_base_url(std::string_view text) {
    BaseUrl out;
    if (skip_prefix(text, "http://")) {
        out.https = false;
    } else if (!skip_prefix(text, "https://")) {
        return Failure("start it with https:// or http://");
    }
    if (text.find('?') != std::string_view::npos) return Failure("a query has no place here");
    if (text.find('#') != std::string_view::npos) return Failure("a fragment has no place here");
    const std::size_t slash = std::min(text.find('/'), text.size());
    const std::string_view authority = text.substr(0, slash);
    if (authority.find('@') != std::string_view::npos) return Failure("a user or password has no place here");
    std::expected<HostPort, std::string> split = split_authority(authority);
    if (!split) return Failure(std::move(split.error()));
    out.host = std::move(split->host);
    out.port = split->port.value_or(out.https ? 443 : 80);
    std::string_view path = text.substr(slash);
    while (path.ends_with('/')) path.remove_suffix(1);
    if (!clean_path(path)) return Failure("the path holds an empty or dot segment, a `%`, or a strange character");
    out.path = path;
    return out;
}

std::expected<WebhookUrl, std::string> parse_webhook_url(std::string_view text) {
    const auto allowed = [](char c) {
        return c > ' ' && c <= '~' && std::string_view("\"#<>\\^`{|}").find(c) == std::string_view::npos;
    };
    const std::size_t mark = std::min(text.find('?'), text.size());
    const std::string_view before = text.substr(0, mark);
    const std::string_view query = text.substr(mark);
    if (!std::ranges::all_of(query, allowed)) return Failure("the query holds a fragment or a strange character");
    std::expected<BaseUrl, std::string> base = parse_base_url(before);
    if (!base) return Failure(std::move(base.error()));
    WebhookUrl out{.base = std::move(*base), .target = {}};
    out.target = out.base.path;
    if (out.target.empty() || before.ends_with('/')) out.target += '/';
    out.target += query;
    return out;
}

std::expected<RedisUrl, std::string> parse_redis_url(std::string_view text) {
    RedisUrl out;
    if (iequals(text.substr(0, 9), "rediss://")) return Failure("TLS to Redis is not enforced by this version");
    if (!skip_prefix(text, "redis://")) return Failure("start it with redis://");
    const std::size_t at = text.rfind('@');
    if (at != std::string_view::npos) {
        if (!read_user(text.substr(0, at), out)) return Failure("a `%` in the user or password starts no octet");
        text.remove_prefix(at + 1);
    }
    const std::size_t slash = std::min(text.find('/'), text.size());
    std::string_view hosts = text.substr(0, slash);
    for (bool first = true; first || !hosts.empty(); first = false) {
        const std::size_t comma = std::min(hosts.find(','), hosts.size());
        std::expected<HostPort, std::string> split = split_authority(hosts.substr(0, comma));
        if (!split) return Failure(std::move(split.error()));
        const std::uint16_t port = split->port.value_or(6379);
        if (first) {
            out.host = std::move(split->host);
            out.port = port;
        } else {
            out.others.emplace_back(std::move(split->host), port);
        }
        if (comma + 1 == hosts.size()) return Failure("a host is missing after a comma");
        hosts.remove_prefix(std::min(hosts.size(), comma + 1));
    }
    const std::string_view database = slash < text.size() ? text.substr(slash + 1) : std::string_view();
    if (database.empty()) return out;
    const std::optional<std::uint64_t> number = parse_decimal(database);
    if (!number || *number > 65'535) return Failure("the database is not a number from 0 to 65535");
    out.database = static_cast<unsigned>(*number);
    return out;
}

} // namespace tollgate::config
