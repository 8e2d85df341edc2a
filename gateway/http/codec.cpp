#include "gateway/http/codec.hpp"

#include "config/address.hpp"
#include "gateway/base/text.hpp"
#include "gateway/http/agreement.hpp"
#include "gateway/http/grammar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

namespace tollgate::http {
namespace {

constexpr auto kMaxLength = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()); // case 47

std::unexpected<BadMessage> bad(std::string_view reason, int status = 400) {
    return std::unexpected(BadMessage{status, reason});
}

template <class Fields>
std::optional<std::string_view> find_in(const Fields& fields, std::string_view name) noexcept {
    for (const Field& field : fields)
        if (iequals(field.name, name)) return field.value;
    return std::nullopt;
}

std::string_view take_line(std::string_view& text) {
    const std::size_t end = text.find("\r\n");
    const auto line = text.substr(0, end);
    text.remove_prefix(end + 2);
    return line;
}

std::expected<void, BadMessage> parse_fields(std::string_view text, std::vector<Field>& fields) {
    fields.clear();
    for (;;) {
        const auto line = take_line(text);
        if (line.empty()) return {};
        if (line.front() == ' ' || line.front() == '\t') return bad("Header lines may not be folded.");
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) return bad("A header line has no colon.");
        const auto name = line.substr(0, colon);
        const auto value = trim(line.substr(colon + 1));
        if (!is_token(name)) return bad("A header name holds characters that are not allowed.");
        if (!is_field_value(value)) return bad("A header value holds a control character.");
        fields.push_back(Field{name, value});
    }
}

// The fields whose repetition would let two parsers disagree; each may appear once.
bool is_singleton(std::string_view name) noexcept {
    static constexpr std::array<std::string_view, 11> kSingletons{
        "host",          "content-length",   "transfer-encoding", "content-type",
        "authorization", "x-api-key",        "api-key",           "x-goog-api-key",
        "expect",        "content-encoding", "idempotency-key"};
    return std::ranges::any_of(kSingletons, [&](std::string_view s) { return iequals(s, name); });
}

struct Noted {
    std::optional<std::string_view> host, length, coding, connection, expect;
    std::size_t connections = 0;
};

std::expected<Noted, BadMessage> note_fields(const std::vector<Field>& fields) {
    Noted noted;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const auto& [name, value] = fields[i];
        if (is_singleton(name)) {
            for (std::size_t j = 0; j < i; ++j)
                if (iequals(fields[j].name, name)) return bad("A header that may appear once is repeated.");
        }
        if (iequals(name, "host"))
            noted.host = value;
        else if (iequals(name, "content-length"))
            noted.length = value;
        else if (iequals(name, "transfer-encoding"))
            noted.coding = value;
        else if (iequals(name, "expect"))
            noted.expect = value;
    }
    return noted;
}

// RFC 9112 §6.3, strictly: one `chunked` or one Content-Length or neither, never both, never on HTTP/1.0.
std::expected<void, BadMessage> decide_framing(const Noted& noted, int minor, Framing& framing, std::uint64_t& length) {
    framing = Framing::none;
    length = 0;
    if (noted.coding && noted.length) return bad("Transfer-Encoding and Content-Length exclude each other.");
    if (noted.coding) {
        if (minor == 0) return bad("Transfer-Encoding is not part of HTTP/1.0.");
        if (!iequals(*noted.coding, "chunked")) return bad("The only transfer coding understood is chunked.");
        framing = Framing::chunked;
    } else if (noted.length) {
        const auto value = parse_decimal(*noted.length);
        if (!value) return bad("Content-Length is not a decimal number.");
        if (*value > kMaxLength) return bad("The body is larger than any that is accepted.", 413);
        framing = Framing::length;
        length = *value;
    }
    return {};
}

struct ConnectionOptions {
    bool close = false, keep_alive = false;
};

std::expected<ConnectionOptions, BadMessage> connection_options(const std::vector<Field>& fields, bool strict) {
    ConnectionOptions options;
    for (const Field& field : fields) {
        if (!iequals(field.name, "connection")) continue;
        if (strict && !is_token_list(field.value)) return bad("The Connection header is not a list of tokens.");
        options.close = options.close || list_has(field.value, "close");
        options.keep_alive = options.keep_alive || list_has(field.value, "keep-alive");
    }
    return options;
}

std::expected<void, BadMessage> parse_version(std::string_view text, int& minor) {
    if (text == "HTTP/1.1" || text == "HTTP/1.0") {
        minor = text.back() - '0';
        return {};
    }
    const bool shaped = text.size() == 8 && text.starts_with("HTTP/") && text[6] == '.' && text[5] >= '0' &&
                        text[5] <= '9' && text[7] >= '0' && text[7] <= '9';
    return shaped ? bad("Only HTTP/1.0 and HTTP/1.1 are spoken here.", 505) : bad("The request line is malformed.");
}

// Whoever sends a target at a metadata address takes this gateway for a forward proxy (case 126).
bool is_metadata_address(std::string_view host) {
    const bool bracketed = host.starts_with('[');
    const auto name = bracketed ? host.substr(1, host.find(']') - 1) : host.substr(0, host.find(':'));
    const auto address = config::parse_address(name);
    return address && config::reach_of(*address) == config::Reach::forbidden;
}

// absolute-form (RFC 9112 §3.2.2) must name the same authority as Host; it is reduced to origin-form.
std::expected<std::string_view, BadMessage> reduce_target(std::string_view target, std::string_view host) {
    for (const std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
        if (target.size() < scheme.size() || !iequals(target.substr(0, scheme.size()), scheme)) continue;
        const auto rest = target.substr(scheme.size());
        const std::size_t slash = rest.find('/');
        if (slash == std::string_view::npos || !iequals(rest.substr(0, slash), host))
            return bad("The request target and the Host header disagree.");
        if (is_metadata_address(host)) return bad("This gateway does not answer for the address in the target.", 421);
        return rest.substr(slash);
    }
    return target;
}

std::expected<void, BadMessage> parse_request_line(std::string_view line, RequestHead& out) {
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) return bad("The request line is malformed.");
    out.method = line.substr(0, first);
    out.target = line.substr(first + 1, last - first - 1);
    if (!is_token(out.method)) return bad("The request method is malformed.");
    if (out.target.empty() || out.target.find_first_of(" \t") != std::string_view::npos)
        return bad("The request line is malformed.");
    return parse_version(line.substr(last + 1), out.minor);
}

std::expected<void, BadMessage> check_target(RequestHead& out, std::string_view host) {
    if (out.target == "*" && out.method == "OPTIONS") {
        out.path = out.target;
        out.query = {};
        return {};
    }
    if (out.method == "CONNECT") return bad("This gateway is not a tunnel.", 405); // its target has a form of its own
    const auto reduced = reduce_target(out.target, host);
    if (!reduced) return std::unexpected(reduced.error());
    out.target = *reduced;
    if (!is_safe_target(out.target))
        return bad("The request target holds characters or segments that are not allowed.");
    const std::size_t question = out.target.find('?');
    out.path = out.target.substr(0, question);
    out.query = question == std::string_view::npos ? std::string_view() : out.target.substr(question + 1);
    return {};
}

std::expected<void, BadMessage> check_expect(const Noted& noted, RequestHead& out) {
    out.expect_continue = false;
    if (!noted.expect || out.minor == 0) return {};
    if (!iequals(*noted.expect, "100-continue")) return bad("The only expectation understood is 100-continue.", 417);
    out.expect_continue = out.framing == Framing::chunked || out.content_length > 0;
    return {};
}

} // namespace

std::optional<std::string_view> RequestHead::find(std::string_view name) const noexcept {
    return find_in(fields, name);
}
std::optional<std::string_view> ResponseHead::find(std::string_view name) const noexcept {
    return find_in(fields, name);
}

std::expected<void, BadMessage> parse_request_head(std::string_view text, RequestHead& out) {
    std::string_view rest = text;
    if (auto ok = parse_request_line(take_line(rest), out); !ok) return ok;
    if (auto ok = parse_fields(rest, out.fields); !ok) return ok;
    const auto noted = note_fields(out.fields);
    if (!noted) return std::unexpected(noted.error());
    if (!noted->host && out.minor == 1) return bad("The Host header is missing.");
    if (noted->host && !is_host(*noted->host)) return bad("The Host header is malformed.");
    if (auto ok = decide_framing(*noted, out.minor, out.framing, out.content_length); !ok) return ok;
    if (auto ok = check_target(out, noted->host.value_or("")); !ok) return ok;
    const auto options = connection_options(out.fields, true);
    if (!options) return std::unexpected(options.error());
    out.keep_alive = !options->close && (out.minor == 1 || options->keep_alive);
    if (auto ok = check_expect(*noted, out); !ok) return ok;
    return agree_on_request(out);
}

std::expected<void, BadMessage> parse_response_head(std::string_view text, bool to_head, ResponseHead& out) {
    std::string_view rest = text;
    const auto line = take_line(rest);
    if (line.size() < 12 || !line.starts_with("HTTP/1.") || (line[7] != '0' && line[7] != '1') || line[8] != ' ')
        return bad("malformed status line");
    const auto status = parse_decimal(line.substr(9, 3));
    if (!status || *status < 100 || *status > 599) return bad("status out of range");
    if (line.size() > 12 && (line[12] != ' ' || !is_field_value(line.substr(13)))) return bad("malformed status line");
    out.status = static_cast<int>(*status);
    out.minor = line[7] - '0';
    if (auto ok = parse_fields(rest, out.fields); !ok) return ok;
    const auto noted = note_fields(out.fields);
    if (!noted) return std::unexpected(noted.error());
    if (auto ok = decide_framing(*noted, out.minor, out.framing, out.content_length); !ok) return ok;
    const auto options = connection_options(out.fields, false);
    out.keep_alive = !options->close && (out.minor == 1 || options->keep_alive);
    if (out.status < 200 && noted->coding.has_value()) return bad("an interim answer with a body");
    if (out.status < 200 && out.content_length > 0) return bad("an interim answer with a body");
    if (auto ok = agree_on_response(out); !ok) return ok;
    if (to_head || out.status < 200 || out.status == 204 || out.status == 304)
        out.framing = Framing::none;
    else if (out.framing == Framing::none)
        out.framing = Framing::until_close;
    if (out.framing == Framing::until_close) out.keep_alive = false;
    return {};
}

bool append_field(std::string& out, std::string_view name, std::string_view value) {
    if (!is_token(name) || !is_field_value(value)) return false;
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
    return true;
}

void append_field(std::string& out, std::string_view name, std::uint64_t value) {
    out += name;
    out += ": ";
    const fmt::format_int digits(value);
    out.append(digits.data(), digits.size());
    out += "\r\n";
}

std::string_view reason_phrase(int status) noexcept {
    switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 508: return "Loop Detected";
    default: return "";
    }
}

void append_status_line(std::string& out, int status) {
    out += "HTTP/1.1 ";
    const fmt::format_int digits(status);
    out.append(digits.data(), digits.size());
    out += ' ';
    out += reason_phrase(status);
    out += "\r\n";
}

std::string_view chunk_header(std::size_t size, char (&buffer)[20]) noexcept {
    static constexpr char kDigits[] = "0123456789abcdef";
    char* at = buffer + sizeof buffer;
    *--at = '\n';
    *--at = '\r';
    do {
        *--at = kDigits[size & 15];
        size >>= 4;
    } while (size != 0);
    return {at, static_cast<std::size_t>(buffer + sizeof buffer - at)};
}

} // namespace tollgate::http
