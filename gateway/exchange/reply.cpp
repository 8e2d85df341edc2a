#include "gateway/exchange/reply.hpp"

#include "gateway/api/errors.hpp"
#include "policy/headers.hpp"
#include "policy/quota/denial.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tollgate::exchange {
namespace {

constexpr auto kLingerTime = std::chrono::seconds(2);
// More than the largest JSON body by default: a client that writes all of a body we refused still reads the refusal.
constexpr std::uint64_t kLingerKnown = 64 * 1024 * 1024;
// Who has shown no key gets no such courtesy: case 240.
constexpr std::uint64_t kLingerUnknown = 256 * 1024;

// Milliseconds with two decimals, by integers: floating-point formatting costs more than the rest of the head.
void append_ms(std::string& out, Duration duration) {
    const auto hundredths =
        std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::microseconds>(duration).count() / 10);
    const fmt::format_int whole(hundredths / 100);
    out.append(whole.data(), whole.size());
    out += '.';
    out += static_cast<char>('0' + hundredths / 10 % 10);
    out += static_cast<char>('0' + hundredths % 10);
}

// Only what was done is named.
void append_timing(std::string& out, const Exchange& ex) {
    const Duration total = Clock::now() - ex.started;
    out += "server-timing: ";
    const auto part = [&](std::string_view name, Duration duration) {
        out += name;
        out += ";dur=";
        append_ms(out, duration);
    };
    if (ex.record.policy) {
        part("policy", *ex.record.policy);
        out += ", ";
    }
    if (ex.record.lookup) {
        part("cache", *ex.record.lookup);
        out += ", ";
    }
    if (ex.record.attempt_count != 0) {
        part("upstream", ex.record.upstream);
        out += ", ";
    }
    part("gateway", total - ex.record.upstream);
    out += "\r\n";
}

// Facts about where the answer came from; only where something was asked of an upstream or the cache.
void append_origin(std::string& out, const Exchange& ex) {
    if (!ex.cache_status.empty()) http::append_field(out, "cache-status", ex.cache_status);
    if (!ex.upstream_request_id.empty())
        http::append_field(out, "x-tollgate-upstream-request-id", ex.upstream_request_id);
    if (ex.record.attempt_count == 0) return;
    if (ex.model != nullptr) http::append_field(out, "x-tollgate-model", ex.model_name);
    http::append_field(out, "x-tollgate-upstream", ex.record.attempts[ex.record.attempt_count - 1].upstream);
    if (ex.record.attempt_count > 1) http::append_field(out, "x-tollgate-attempts", ex.record.attempt_count);
}

void append_cost(std::string& out, const Exchange& ex) {
    if (ex.account.capped) http::append_field(out, "x-tollgate-notice", "output_capped");
    if (!ex.account.cost) return;
    std::string usd;
    policy::quota::append_usd(usd, *ex.account.cost);
    http::append_field(out, "x-tollgate-cost-usd", usd);
}

void append_connection(std::string& out, Exchange& ex, int status) {
    ex.told_keep = ex.keep_alive();
    const bool close = !ex.told_keep;
    if (status == 426) { // RFC 9110 §15.5.22: names what is spoken; §7.8: Upgrade is always an option of Connection
        out += "upgrade: HTTP/1.1\r\n";
        out += close ? "connection: close, upgrade\r\n" : "connection: upgrade\r\n";
    } else if (close) {
        out += "connection: close\r\n";
    } else if (ex.head.minor == 0) {
        out += "connection: keep-alive\r\n";
    }
}

// RFC 9110 §15.5.6: the methods the path does take, none if it is unknown. HEAD that a provider refused is not one.
std::string allowed_methods(const Exchange& ex) {
    std::string allow = api::find_route(api::Method::other, ex.head.path).miss.allow;
    constexpr std::string_view kHead = ", HEAD";
    const std::size_t at = ex.route != nullptr && ex.is_head() ? allow.find(kHead) : std::string::npos;
    if (at != std::string::npos) allow.erase(at, kHead.size());
    return allow;
}

metrics::Outcome outcome_of(ErrorType type) {
    const std::string_view word = to_string(type);
    if (type == ErrorType::caller_cancelled) return metrics::Outcome::client_cancelled;
    if (word.starts_with("caller_")) return metrics::Outcome::client_error;
    if (word.starts_with("policy_")) return metrics::Outcome::rejected;
    if (word.starts_with("provider_")) return metrics::Outcome::upstream_error;
    return metrics::Outcome::gateway_error;
}

} // namespace

std::string make_head(Exchange& ex, int status, std::string_view content_type, BodyForm form, std::uint64_t length,
                      std::string_view extra) {
    std::string out;
    out.reserve(1'280);
    http::append_status_line(out, status);
    out += ex.worker.date_line;
    http::append_field(out, "x-request-id", ex.id.view());
    if (!ex.record.client_request_id.empty())
        http::append_field(out, "x-client-request-id", ex.record.client_request_id);
    if (!content_type.empty()) http::append_field(out, "content-type", content_type);
    if (form == BodyForm::length) http::append_field(out, "content-length", length);
    if (form == BodyForm::chunked) out += "transfer-encoding: chunked\r\n";
    if (form == BodyForm::until_close) ex.close_after = true;
    out += "cache-control: private, no-store\r\nx-content-type-options: nosniff\r\n";
    policy::append_limit_headers(out, ex.account.limits);
    append_cost(out, ex);
    append_origin(out, ex);
    append_timing(out, ex);
    out += extra;
    append_connection(out, ex, status);
    out += "\r\n";
    ex.record.status = status;
    return out;
}

Task<void> send_complete(Exchange& ex, int status, std::string_view content_type, std::string_view body,
                         std::string_view extra) {
    const bool bodiless = status == 204 || status == 304;
    const std::string head =
        make_head(ex, status, content_type, bodiless ? BodyForm::none : BodyForm::length, body.size(), extra);
    net::Gather pieces;
    pieces.add(head);
    if (!ex.is_head() && !bodiless) pieces.add(body);
    ex.answer_started = true;
    ex.client.expire_hard_at(ex.client.now() + ex.client.write_stall(), "client write");
    const bool sent = co_await ex.client.write(pieces);
    ex.client.expire_never();
    if (sent) {
        ex.answer_complete = true;
        ex.record.bytes_out += body.size();
    } else {
        ex.client_gone = true;
    }
}

void record_error(Exchange& ex, const Error& error) {
    ex.record.error = error.type;
    ex.error_message = error.message;
    ex.record.error_message = ex.error_message;
    ex.error_status = error.status;
    ex.record.outcome = outcome_of(error.type);
}

void settle_request_body(Exchange& ex) {
    if (ex.body_reader.complete()) return;
    while (!ex.body_reader.next_now().empty()) {
    }
    if (!ex.body_reader.complete()) ex.close_after = true;
}

Task<void> send_error(Exchange& ex, const Error& error) {
    record_error(ex, error);
    if (ex.answer_started || ex.client_gone || ex.owner_left || ex.client.closed()) co_return;
    if (error.close) ex.close_after = true;
    settle_request_body(ex);
    std::string extra;
    api::append_retry_headers(extra, error);
    if (error.status == 405) http::append_field(extra, "allow", allowed_methods(ex));
    const std::string body = api::error_body(error, ex.id.view());
    co_await send_complete(ex, error.status, "application/json", body, extra);
}

Task<void> linger(net::Channel& client, bool known) {
    const std::uint64_t most = known ? kLingerKnown : kLingerUnknown;
    client.shutdown_send();
    client.expire_hard_at(Clock::now() + kLingerTime, "linger");
    for (std::uint64_t dropped = 0; dropped < most;) {
        dropped += client.data().size();
        client.consume(client.data().size());
        if (!co_await client.more()) break;
    }
    client.close();
}

} // namespace tollgate::exchange
