#include "tests/mock_provider/playback.hpp"

#include "tests/mock_provider/clock.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace tollgate::mock {
namespace {

constexpr std::size_t kWriteSize = 64 * 1024;
constexpr std::size_t kKeptCapacity = 1024 * 1024;
constexpr unsigned kEndlessContinues = 10'000;
constexpr std::size_t kBigHeader = 9 * 1024;

// A whole answer that nobody asked for: who reads it as the next answer mixes two callers up.
constexpr std::string_view kExtra = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n"
                                    "{\"poison\":true}";

constexpr std::string_view kRevealing = "set-cookie: __cf_bm=mock-cookie; Path=/; HttpOnly\r\n"
                                        "server: mock-provider\r\n"
                                        "via: 1.1 mock\r\n"
                                        "cf-ray: 8f00-MOCK\r\n"
                                        "openai-organization: org-mock\r\n"
                                        "x-ratelimit-limit-requests: 10000\r\n"
                                        "x-ratelimit-remaining-requests: 9999\r\n"
                                        "x-ratelimit-limit-tokens: 2000000\r\n"
                                        "x-ratelimit-remaining-tokens: 1999000\r\n";

std::string_view reason_of(unsigned status) {
    switch (status) {
    case 200: return "OK";
    case 204: return "No Content";
    case 302: return "Found";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    default: return "Status";
    }
}

void append_chunk(std::string& out, std::string_view data) {
    std::array<char, 20> size{};
    const auto [end, error] = std::to_chars(size.data(), size.data() + size.size(), data.size(), 16);
    static_cast<void>(error); // 20 digits hold every size
    out.append(size.data(), end).append("\r\n").append(data).append("\r\n");
}

void append_interim(std::string& out, const Behaviour& behaviour) {
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    if (behaviour.cont) out.append(kContinue).append("HTTP/1.1 103 Early Hints\r\nlink: </style>; rel=preload\r\n\r\n");
    if (!behaviour.many_continue) return;
    for (unsigned i = 0; i < kEndlessContinues; ++i) out.append(kContinue);
}

} // namespace

void Playback::start(Reply reply, const Behaviour& behaviour, bool keep_alive, std::int64_t now) {
    reset();
    usage_ = reply.usage;
    successful_ = reply.status == 200;
    trickle_ = behaviour.trickle;
    extra_ = behaviour.extra;
    after_ = behaviour.after;
    after_n_ = behaviour.after_n;
    pace_ns_ = behaviour.pace_ms * kNsPerMs;
    not_before_ = behaviour.slow_ms > 0 ? now + behaviour.slow_ms * kNsPerMs : 0;
    streaming_ = reply.events != nullptr;
    error_event_ = reply.error_event;
    const bool ends_connection = !keep_alive || behaviour.http10 || behaviour.badlength || behaviour.keepalive_close;
    end_ = ends_connection ? End::kClose : End::kKeepOpen;
    if (behaviour.close || behaviour.reset || behaviour.hang) {
        end_ = behaviour.close ? End::kClose : behaviour.reset ? End::kReset : End::kHang;
        successful_ = false;
        return;
    }
    append_interim(out_, behaviour);
    compose_head(reply, behaviour, keep_alive);
    events_ = std::move(reply.events);
    if (!events_ && !reply.head) compose_body(std::move(reply.body), behaviour);
}

void Playback::reset() {
    if (out_.capacity() > kKeptCapacity) out_ = {};
    out_.clear();
    sent_ = 0;
    filled_ = false;
    events_.reset();
    not_before_ = pace_ns_ = 0;
    events_filled_ = events_total_ = after_n_ = 0;
    after_ = After::kNone;
    end_ = End::kKeepOpen;
    chunked_ = streaming_ = trickle_ = extra_ = successful_ = false;
}

void Playback::resume(std::string_view octets, const Usage& usage) {
    reset();
    out_.assign(octets);
    usage_ = usage;
    filled_ = successful_ = true;
}

void Playback::compose_head(const Reply& reply, const Behaviour& behaviour, bool keep_alive) {
    const bool bodiless = reply.status == 204 || reply.status == 304;
    const bool broken_chunk = after_ == After::kBadChunk;
    chunked_ = !behaviour.http10 && !behaviour.badlength && (streaming_ || behaviour.te_cl || broken_chunk);
    out_.append(behaviour.http10 ? "HTTP/1.0 " : "HTTP/1.1 ").append(std::to_string(reply.status)).append(" ");
    out_.append(reason_of(reply.status)).append("\r\n");
    if (!bodiless) out_.append("content-type: ").append(reply.content_type).append("\r\n");
    if (streaming_) out_.append("cache-control: no-cache\r\n");
    out_.append("x-request-id: req_mock\r\nopenai-processing-ms: 1\r\nopenai-version: 2020-10-01\r\n");
    out_.append(reply.headers);
    if (behaviour.setcookie) out_.append(kRevealing);
    if (behaviour.bigheader) out_.append("x-big: ").append(kBigHeader, 'a').append("\r\n");
    if (chunked_) out_.append("transfer-encoding: chunked\r\n");
    if (behaviour.te_cl || behaviour.badlength || (!chunked_ && !behaviour.http10 && !bodiless)) {
        std::size_t length = reply.body.size();
        if (streaming_)
            length = behaviour.badlength ? 1'000'000'000 : 5;
        else if (behaviour.badlength)
            length += 10;
        out_.append("content-length: ").append(std::to_string(length)).append("\r\n");
    }
    if (!keep_alive) out_.append("connection: close\r\n");
    out_.append("\r\n");
}

void Playback::compose_body(std::string body, const Behaviour& behaviour) {
    const bool cut = after_ == After::kClose || after_ == After::kHang || after_ == After::kBadChunk;
    if (cut) body.resize(std::min<std::size_t>(body.size(), after_n_));
    if (cut) successful_ = false;
    if (chunked_)
        append_chunk(out_, body);
    else
        out_.append(body);
    if (after_ == After::kBadChunk)
        out_.append("ZZZ\r\nbroken\r\n");
    else if (chunked_)
        out_.append("0\r\n\r\n");
    if (after_ == After::kClose) end_ = End::kClose;
    if (after_ == After::kHang || after_ == After::kBadChunk) end_ = End::kHang;
    if (behaviour.extra) out_.append(kExtra);
}

bool Playback::fill(std::int64_t now) {
    events_filled_ = 0;
    if (std::exchange(filled_, true)) {
        out_.clear();
        sent_ = 0;
    }
    if (events_) pull_events(now);
    return !out_.empty();
}

void Playback::pull_events(std::int64_t now) {
    bool tail = false;
    while (true) {
        if (after_ != After::kNone && events_total_ == after_n_) return break_stream();
        event_.clear();
        const auto next = events_->next(event_);
        if (next == EventSource::Next::kEnd) return finish_stream();
        append_event(event_);
        tail = tail || next == EventSource::Next::kTail;
        if (pace_ns_ > 0 && !tail) {
            not_before_ = std::max(now, (not_before_ != 0 ? not_before_ : now) + pace_ns_);
            return;
        }
        if (out_.size() >= kWriteSize && !tail) return;
    }
}

void Playback::append_event(std::string_view event) {
    if (chunked_)
        append_chunk(out_, event);
    else
        out_.append(event);
    ++events_filled_;
    ++events_total_;
}

void Playback::break_stream() {
    successful_ = false;
    switch (after_) {
    case After::kError: append_event(error_event_); return finish_stream();
    case After::kBadChunk: out_.append("ZZZ\r\nbroken\r\n"); [[fallthrough]];
    case After::kHang: end_ = End::kHang; break;
    case After::kClose: end_ = End::kClose; break;
    case After::kNone: break;
    }
    events_.reset();
}

void Playback::finish_stream() {
    if (chunked_) out_.append("0\r\n\r\n");
    if (extra_) out_.append(kExtra);
    events_.reset();
}

} // namespace tollgate::mock
