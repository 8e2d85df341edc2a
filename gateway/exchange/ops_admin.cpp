// The admin listener's own requests: bounded, and each on a connection of its own unless it has no body.
#include "gateway/exchange/ops_client.hpp"
#include "gateway/http/body_reader.hpp"
#include "gateway/http/codec.hpp"

namespace tollgate::exchange {
namespace {

constexpr auto kBodyTime = std::chrono::seconds(10);
constexpr auto kAnswerTime = std::chrono::seconds(60); // a question about years of usage
constexpr auto kWriteTime = std::chrono::seconds(10);
constexpr std::size_t kMostRead = 1024 * 1024; // of a refused body, so that the refusal arrives

std::optional<std::string> copy(const std::optional<std::string_view>& text) {
    if (!text) return std::nullopt;
    return std::string(*text);
}

// Web pages send what they send twice, and proxies may choose either.
bool repeated(const http::RequestHead& head, std::string_view name) {
    return std::ranges::count_if(head.fields, [&](const http::Field& field) { return iequals(field.name, name); }) > 1;
}

std::string head_of(const AdminPage& page, bool keep) {
    const bool problem = page.status >= 400;
    std::string out;
    http::append_status_line(out, page.status);
    http::append_field(out, "content-type", problem ? "application/problem+json" : "application/json");
    http::append_field(out, "content-length", page.body.size());
    http::append_field(out, "cache-control", "no-store");
    http::append_field(out, "x-content-type-options", "nosniff");
    http::append_field(out, "content-security-policy", "default-src 'none'");
    if (page.status == 401) http::append_field(out, "www-authenticate", "Bearer");
    if (!page.allow.empty()) http::append_field(out, "allow", page.allow);
    if (page.retry_after != 0) http::append_field(out, "retry-after", page.retry_after);
    out += keep ? "\r\n" : "connection: close\r\n\r\n";
    return out;
}

} // namespace

// False: it never came, or it is no message.
Task<bool> OpsServer::read_body(Client& client, const http::RequestHead& head, AdminCall& call) {
    net::Channel& channel = *client.channel;
    channel.expire_hard_at(Clock::now() + kBodyTime, "request body");
    if (head.expect_continue) {
        net::Gather interim;
        interim.add("HTTP/1.1 100 Continue\r\n\r\n");
        if (!co_await channel.write(interim)) co_return false;
    }
    http::BodyReader reader(channel, head.framing, head.content_length);
    std::size_t size = 0;
    while (!reader.complete()) {
        const std::string_view piece = co_await reader.next();
        if (reader.failed()) co_return false;
        size += piece.size();
        call.too_large = size > AdminPages::kLargestBody;
        if (size > kMostRead) co_return true;
        if (call.too_large)
            call.body.clear();
        else
            call.body += piece;
    }
    co_return true;
}

Task<bool> OpsServer::answer_admin(Client& client, const http::RequestHead& head, bool keep) {
    const TimePoint started = Clock::now();
    AdminCall call{.method = std::string(head.method),
                   .path = std::string(head.path),
                   .query = std::string(head.query),
                   .body = {},
                   .address = client.address,
                   .host = repeated(head, "host") ? std::nullopt : copy(head.find("host")),
                   .origin = copy(head.find("origin")),
                   .authorization = repeated(head, "authorization") ? std::nullopt : copy(head.find("authorization")),
                   .content_type = copy(head.find("content-type"))};
    if (!co_await read_body(client, head, call)) co_return false;
    client.channel->expire_hard_at(Clock::now() + kAnswerTime, "answer");
    AdminPage page = co_await admin_->answer(std::move(call));
    std::string out = head_of(page, keep);
    net::Gather pieces;
    pieces.add(out);
    if (head.method != "HEAD") pieces.add(page.body);
    client.channel->expire_hard_at(Clock::now() + kWriteTime, "write");
    const bool sent = co_await client.channel->write(pieces);
    metrics::RequestRecord record;
    record.listener = "admin";
    record.method = page.method;
    record.route = page.route;
    record.status = page.status;
    record.total = Clock::now() - started;
    metrics_.record(record);
    co_return sent&& keep;
}

} // namespace tollgate::exchange
