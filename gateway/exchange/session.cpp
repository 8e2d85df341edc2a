#include "gateway/exchange/session.hpp"

#include "gateway/api/errors.hpp"
#include "gateway/base/log.hpp"
#include "gateway/exchange/pipeline.hpp"
#include "gateway/exchange/reply.hpp"
#include "gateway/http/head_scanner.hpp"

#include <algorithm>

namespace tollgate::exchange {
namespace {

http::HeadLimits head_limits(const config::ClientLimits& limits) {
    return {limits.request_line, limits.field, limits.head, limits.fields};
}

enum class HeadEnd : std::uint8_t { ready, closed, refused };

// Head of one request, owned for as long as the request lives: its views point into `text`.
struct ReceivedHead {
    std::string text;
    http::RequestHead head;
    http::BadMessage refusal;
    bool refused_to_head = false;
};

// However broken the rest is: an answer to HEAD has no content (RFC 9110 §9.3.2).
bool asks_for_head(std::string_view octets) {
    octets.remove_prefix(std::min(octets.find_first_not_of("\r\n"), octets.size()));
    return octets.starts_with("HEAD ");
}

// The octets stay in the channel until the head is whole; from its first octet on a deadline runs (case 231).
Task<HeadEnd> read_head(net::Channel& client, const config::ClientLimits& limits, bool first, ReceivedHead& out) {
    http::HeadScanner scanner(head_limits(limits));
    const Duration head_time = limits.head_time; // the limits go with their snapshot, which a reload may end
    client.expire_hard_at(client.now() + (first ? head_time : Duration(limits.keep_alive)),
                          first ? kFirstRequest : kKeepAlive);
    bool begun = false;
    for (;;) {
        const std::string_view octets = client.data();
        if (!octets.empty() && !begun) {
            begun = true;
            client.expire_softly_at(client.now() + head_time, kRequestHead);
        }
        const auto found = scanner.scan(octets);
        if (!found) {
            out.refusal = found.error();
            out.refused_to_head = asks_for_head(octets);
            co_return HeadEnd::refused;
        }
        if (*found) {
            out.text.assign(octets.substr(scanner.leading(), **found - scanner.leading()));
            client.consume(**found);
            client.expire_never();
            const auto parsed = http::parse_request_head(out.text, out.head);
            if (parsed) co_return HeadEnd::ready;
            out.refusal = parsed.error();
            out.refused_to_head = asks_for_head(out.text);
            co_return HeadEnd::refused;
        }
        const bool arrived = begun ? co_await client.more() : co_await client.more_when_idle();
        if (arrived) continue;
        if (!client.expired() || client.closed() || !begun) co_return HeadEnd::closed;
        out.refusal = http::BadMessage{408, "The request head did not arrive in time."};
        out.refused_to_head = asks_for_head(client.data());
        co_return HeadEnd::refused;
    }
}

// What never became a request still gets one answer and a log line; no octet after it is looked at.
Task<void> refuse(WorkerState& worker, net::Channel& client, Peer& peer, const ReceivedHead& received) {
    const http::BadMessage& refusal = received.refusal;
    const http::RequestHead none;
    Exchange ex(worker, client, peer, none);
    if (received.refused_to_head) ex.method = api::Method::head;
    ex.record.client_address = peer.address;
    ex.close_after = true;
    // A head that a stopping process does not wait for any longer.
    if (worker.terminating && refusal.status == 408) {
        co_await send_error(ex, shutdown_error());
        finish_record(ex);
        co_return;
    }
    const Error error{.type = refusal.status == 413 || refusal.status == 414 || refusal.status == 431
                                  ? ErrorType::caller_too_large
                                  : ErrorType::caller_invalid_request,
                      .status = refusal.status,
                      .message = std::string(refusal.reason),
                      .openai_type = "invalid_request_error",
                      .retry = Retry::never,
                      .close = true};
    co_await send_error(ex, error);
    finish_record(ex);
}

// How far a connection has come.
struct Progress {
    std::uint64_t requests = 0; // begun, with the present one
    TimePoint opened;
};

enum class After : std::uint8_t { keep, linger, linger_known, broken_off };

// An exchange stands in this frame, not in its caller's: a connection between two requests holds none.
Task<After> serve_one(WorkerState& worker, net::Channel& client, Peer& peer, const http::RequestHead& head,
                      Progress progress) {
    Exchange ex(worker, client, peer, head);
    const config::Listen& listen = ex.snapshot->config.listen;
    ex.record.client_address = client_address(peer, head, listen.trusted_proxies).text;
    ex.close_after = progress.requests >= listen.limits.requests || ex.started - progress.opened >= listen.limits.age;
    if (co_await serve(ex)) co_return After::keep;
    if (!ex.answer_complete) co_return After::broken_off;
    co_return ex.principal != nullptr ? After::linger_known : After::linger;
}

Task<void> serve_requests(WorkerState& worker, net::Channel& client, Peer& peer) {
    ReceivedHead received;
    Progress progress{.opened = Clock::now()};
    After after = After::keep;
    while (after == After::keep) {
        ++progress.requests;
        client.cap_writes(kNever);
        client.stall_after(worker.snapshot->config.listen.limits.write_stall);
        const bool first = progress.requests == 1;
        const HeadEnd end = co_await read_head(client, worker.snapshot->config.listen.limits, first, received);
        if (end == HeadEnd::closed) co_return; // who calls closes
        if (end == HeadEnd::refused) {
            co_await refuse(worker, client, peer, received);
            after = After::linger;
            break;
        }
        after = co_await serve_one(worker, client, peer, received.head, progress);
    }
    // What was broken off is closed at once: the client must see that the answer is not whole.
    if (after != After::broken_off) co_await linger(client, after == After::linger_known);
}

} // namespace

Task<void> run_session(WorkerState& worker, net::ChannelPtr client, std::string address) {
    try {
        Peer peer(std::move(address));
        co_await serve_requests(worker, *client, peer);
    } catch (const std::exception& failure) {
        log::error("a connection ended in an exception", {{"error", failure.what()}});
    }
    client->close();
}

} // namespace tollgate::exchange
