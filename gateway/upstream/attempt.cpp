#include "gateway/upstream/attempt.hpp"

#include "gateway/base/log.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <vector>

namespace tollgate::upstream {
namespace {

constexpr int kMaxInterim = 8;
constexpr std::size_t kFilePiece = 64 * 1024;

// At most one line a second and worker: a provider that is down must not fill the disk.
void log_unreachable(const Provider& provider, const net::Dial& dial) {
    static thread_local TimePoint last{};
    const TimePoint now = Clock::now();
    if (now - last < std::chrono::seconds(1)) return;
    last = now;
    log::warning("a provider could not be reached",
                 {{"provider", provider.name}, {"failure", net::to_string(dial.failure())}, {"detail", dial.detail()}});
}

// Waits for the end of a chunked message whose content is known to be over; anything else that comes ends the
// connection.
Task<void> await_end(net::ChannelPtr channel, std::unique_ptr<http::BodyReader> rest, Pool& pool, std::string key) {
    constexpr auto kPatience = std::chrono::seconds(2);
    channel->expire_hard_at(channel->now() + kPatience, "end of stream");
    const std::string_view unexpected = co_await rest->next();
    const bool clean = unexpected.empty() && rest->complete() && !rest->failed();
    channel->expire_never();
    if (clean)
        pool.put(key, std::move(channel));
    else
        channel->close();
}

} // namespace

std::uint64_t Payload::size() const noexcept {
    std::uint64_t total = pieces.size();
    for (const Segment& segment : segments) total += segment.file < 0 ? segment.text.size() : segment.size;
    return total;
}

Attempt::~Attempt() {
    if (channel_) channel_->close();
}

bool Attempt::fail(ErrorType type, int status, std::string message) {
    error_ = Error{.type = type, .status = status, .message = std::move(message), .openai_type = "server_error"};
    return false;
}

bool Attempt::fail_connection(std::string_view doing) {
    if (aborted_) return fail(ErrorType::caller_cancelled, 499, "The client closed the connection.");
    if (channel_ && channel_->expired()) {
        return fail(ErrorType::provider_timeout, 504,
                    fmt::format("Provider \"{}\" did not answer in time: the {} timeout ran out.", provider_.name,
                                channel_->clock()));
    }
    return fail(ErrorType::provider_connection_failed, 502,
                fmt::format("The connection to provider \"{}\" broke while {}.", provider_.name, doing));
}

void Attempt::abort() noexcept {
    aborted_ = true;
    if (dial_ != nullptr) dial_->abort();
    if (channel_) channel_->close();
}

Task<bool> Attempt::open(const Limits& limits) {
    if (limits.may_reuse) channel_ = around_.pool.take(provider_.pool_key);
    if (channel_) {
        reused_ = true;
        co_return true;
    }
    const TimePoint deadline = Clock::now() + limits.timeouts.connect;
    auto failure = co_await connect(deadline);
    if (failure == net::DialFailure::descriptors) {
        around_.pool.close_all(); // who waits for nothing gives its descriptor to who does (F61)
        failure = co_await connect(deadline);
    }
    if (aborted_) co_return fail_connection("connecting");
    if (channel_) co_return true;
    co_return unreachable(failure, limits);
}

Task<net::DialFailure> Attempt::connect(TimePoint deadline) {
    net::Dial dial(around_.io, around_.blocks, around_.deadlines, around_.resolver);
    dial_ = &dial;
    channel_ = co_await dial.run(provider_.target, deadline);
    dial_ = nullptr;
    if (channel_)
        dial_times_ = dial.times();
    else if (!aborted_)
        log_unreachable(provider_, dial);
    co_return dial.failure();
}

bool Attempt::unreachable(net::DialFailure failure, const Limits& limits) {
    if (failure == net::DialFailure::timeout) {
        return fail(ErrorType::provider_timeout, 504,
                    fmt::format("Provider \"{}\" could not be reached: the connect timeout of {} ms ran out.",
                                provider_.name, limits.timeouts.connect.count()));
    }
    if (failure == net::DialFailure::refused_address) {
        fail(ErrorType::provider_connection_failed, 502,
             fmt::format("Provider \"{}\" is not called: its address is one that must not be connected to.",
                         provider_.name));
        error_.code = "upstream_address_forbidden";
        return false;
    }
    if (failure == net::DialFailure::descriptors) {
        return fail(ErrorType::gateway_overloaded, 503,
                    fmt::format("Provider \"{}\" could not be called: the gateway has no file descriptor left.",
                                provider_.name));
    }
    return fail(ErrorType::provider_connection_failed, 502,
                fmt::format("Provider \"{}\" could not be reached ({}).", provider_.name, net::to_string(failure)));
}

Task<bool> Attempt::write(net::Gather pieces) {
    channel_->expire_hard_at(channel_->now() + net::kWriteStall, "send");
    if (co_await channel_->write(pieces)) co_return true;
    co_return fail_connection("sending the request");
}

Task<bool> Attempt::send(std::string_view head, const Payload& payload) {
    net::Gather pieces;
    pieces.add(head);
    for (const auto& piece : payload.pieces.buffers())
        pieces.add({static_cast<const char*>(piece.data()), piece.size()});
    if (!co_await write(pieces)) co_return false;
    sent_ = true;
    for (const Payload::Segment& segment : payload.segments)
        if (!co_await send_segment(segment)) co_return false;
    co_return true;
}

Task<bool> Attempt::send_segment(const Payload::Segment& segment) {
    if (segment.file < 0) {
        net::Gather piece;
        piece.add(segment.text);
        co_return co_await write(piece);
    }
    std::vector<char> buffer(kFilePiece);
    for (std::uint64_t at = 0; at < segment.size;) {
        const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), segment.size - at));
        const ssize_t n = ::pread(segment.file, buffer.data(), want, static_cast<off_t>(segment.offset + at));
        if (n <= 0) co_return fail(ErrorType::gateway_internal, 500, "The held request body could not be read back.");
        net::Gather piece;
        piece.add({buffer.data(), static_cast<std::size_t>(n)});
        if (!co_await write(piece)) co_return false;
        at += static_cast<std::uint64_t>(n);
    }
    co_return true;
}

Task<bool> Attempt::read_head(bool to_head) {
    http::HeadScanner scanner(http::kResponseLimits);
    for (int interim = 0; interim <= kMaxInterim;) {
        const auto found = scanner.scan(channel_->data());
        if (!found) {
            co_return fail(ErrorType::provider_bad_response, 502,
                           fmt::format("Provider \"{}\" sent an answer that is not valid HTTP.", provider_.name));
        }
        if (!*found) {
            const bool more = co_await channel_->more();
            if (!channel_->data().empty()) answered_ = true;
            if (!more) co_return fail_connection("waiting for the answer");
            continue;
        }
        answered_ = true;
        head_text_.assign(channel_->data().substr(scanner.leading(), **found - scanner.leading()));
        channel_->consume(**found);
        const auto parsed = http::parse_response_head(head_text_, to_head, head_);
        if (!parsed || head_.status == 101) {
            co_return fail(
                ErrorType::provider_bad_response, 502,
                fmt::format("Provider \"{}\" sent an answer with a head that cannot be trusted.", provider_.name));
        }
        if (head_.status >= 200) co_return true;
        ++interim;
        scanner.reset();
    }
    co_return fail(ErrorType::provider_bad_response, 502,
                   fmt::format("Provider \"{}\" sent only interim answers.", provider_.name));
}

Task<bool> Attempt::run(std::string_view head, const Payload& payload, bool to_head, const Limits& limits) {
    if (aborted_) co_return fail_connection("connecting"); // the client left before anything was done
    if (!co_await open(limits)) co_return false;
    channel_->cap_writes(limits.total_deadline);
    if (!co_await send(head, payload)) co_return false;
    const TimePoint first = Clock::now() + limits.timeouts.first_token;
    if (first < limits.total_deadline)
        channel_->expire_hard_at(first, "first_token");
    else
        channel_->expire_hard_at(limits.total_deadline, "total");
    if (!co_await read_head(to_head)) co_return false;
    body_.emplace(*channel_, head_.framing, head_.content_length);
    co_return true;
}

Error Attempt::broken_body_error() const {
    Error error{.type = ErrorType::provider_stream_broken, .status = 502, .openai_type = "server_error"};
    if (channel_ && channel_->expired()) {
        error.type = ErrorType::provider_timeout;
        error.status = 504;
        error.message =
            fmt::format("Provider \"{}\" stopped sending: the {} timeout ran out.", provider_.name, channel_->clock());
    } else {
        error.message = fmt::format("Provider \"{}\" broke off its answer before the end.", provider_.name);
    }
    return error;
}

void Attempt::finish(bool end_expected) {
    if (!channel_) return;
    net::ChannelPtr channel = std::move(channel_);
    channel_ = nullptr;
    channel->expire_never();
    if (body_) (void)body_->next_now(); // gives the last piece's octets back, reads an end that is here already
    const bool sound = body_ && !body_->failed() && head_.keep_alive && !aborted_;
    if (sound && body_->complete()) {
        around_.pool.put(provider_.pool_key, std::move(channel));
    } else if (sound && end_expected && head_.framing == http::Framing::chunked) {
        auto rest = std::make_unique<http::BodyReader>(std::move(*body_));
        asio::co_spawn(around_.io, await_end(std::move(channel), std::move(rest), around_.pool, provider_.pool_key),
                       asio::detached);
    } else {
        channel->close();
    }
    body_.reset();
}

} // namespace tollgate::upstream
