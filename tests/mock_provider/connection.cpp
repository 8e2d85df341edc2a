#include "tests/mock_provider/connection.hpp"

#include "tests/mock_provider/clock.hpp"

#include <sys/epoll.h>

#include <utility>
#include <variant>

namespace tollgate::mock {
namespace {

constexpr std::size_t kMaxAhead = 256 * 1024;  // octets of following requests read while one is answered
constexpr std::int64_t kTrickleGapNs = 50'000; // lets the peer see every octet on its own
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

} // namespace

Connection::Connection(int fd, ssl_ctx_st* tls, Services services) : services_(services), transport_(fd, tls) {
    services_.state.on_connection_opened();
}

Connection::~Connection() {
    if (waiting()) services_.state.remove_waiter();
    if (!control_) services_.state.on_connection_closed();
}

std::uint32_t Connection::interest() const {
    std::uint32_t events = EPOLLRDHUP;
    if (phase_ == Phase::kReading || reader_.buffered() < kMaxAhead) events |= EPOLLIN;
    if (blocked_ || read_wants_write_) events |= EPOLLOUT;
    return events;
}

bool Connection::on_events(std::uint32_t events) {
    if ((events & EPOLLERR) != 0) return gone();
    if ((events & EPOLLOUT) != 0 && blocked_ && !(pump() && process())) return false;
    const bool readable = (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0;
    return (readable || read_wants_write_) ? read() : true;
}

bool Connection::gone() {
    if (phase_ == Phase::kAnswering || phase_ == Phase::kHanging) {
        if (counts_) services_.state.on_aborted();
        if (stream_ != 0) services_.state.end_stream(stream_);
    }
    return false;
}

bool Connection::read() {
    do {
        std::size_t count = 0;
        const auto result = transport_.read(reader_.space(), count);
        read_wants_write_ = result == Io::kWantWrite;
        if (result == Io::kEof || result == Io::kError) return gone();
        if (result != Io::kDone) return true;
        reader_.commit(count);
    } while (transport_.has_buffered());
    return process();
}

bool Connection::process() {
    while (phase_ == Phase::kReading) {
        Request request;
        switch (reader_.next(request)) {
        case ParseResult::kMore: return send_expectation();
        case ParseResult::kBad: return reject();
        case ParseResult::kReady:
            if (!handle(request)) return false;
        }
    }
    return true;
}

bool Connection::send_expectation() {
    if (!reader_.take_expectation()) return true;
    std::size_t count = 0;
    // The socket is empty here: nothing is being answered, so these few octets fit.
    return transport_.write(kContinue, count) == Io::kDone && count == kContinue.size();
}

bool Connection::reject() {
    services_.state.on_bad_request();
    counts_ = false;
    phase_ = Phase::kAnswering;
    playback_.start(error_reply(400, reader_.problem()), {}, false, now_ns());
    return pump();
}

bool Connection::handle(const Request& request) {
    if (is_control(request)) return handle_control_request(request);
    counts_ = true;
    stream_ = 0;
    phase_ = Phase::kAnswering;
    if (request.keep_alive && services_.router.authorized(request)) {
        if (const auto* prepared = services_.prepared.find(request.target, request.body)) {
            services_.state.on_request(request, request.path, prepared->model, now_ns());
            reader_.consume();
            return send_prepared(*prepared);
        }
    }
    auto answer = services_.router.answer(request);
    services_.state.on_request(request, request.path, answer.model, now_ns());
    start_answer(std::move(answer), request);
    reader_.consume();
    return pump();
}

bool Connection::handle_control_request(const Request& request) {
    if (!std::exchange(control_, true)) services_.state.on_control_connection();
    counts_ = false;
    const bool keep_alive = request.keep_alive;
    auto result = handle_control(request, services_.state, services_.router.objects());
    reader_.consume();
    if (auto* reply = std::get_if<Reply>(&result)) {
        phase_ = Phase::kAnswering;
        playback_.start(std::move(*reply), {}, keep_alive, now_ns());
        return pump();
    }
    // Registered before the first look: a counter that changes in between wakes this worker.
    wait_ = std::get<Wait>(result);
    phase_ = Phase::kWaiting;
    services_.state.add_waiter();
    timer_ = wait_.deadline_ns;
    return check_wait();
}

bool Connection::check_wait() {
    if (!waiting()) return true;
    if (!wait_.fulfilled(services_.state) && now_ns() < wait_.deadline_ns) return true;
    services_.state.remove_waiter();
    timer_ = 0;
    phase_ = Phase::kAnswering;
    playback_.start(wait_reply(wait_, services_.state), {}, true, now_ns());
    return pump() && process();
}

bool Connection::send_prepared(const Prepared& prepared) {
    if (prepared.events > 0) {
        stream_ = services_.state.begin_stream(prepared.model);
        services_.state.on_events(stream_, prepared.events, now_ns());
    }
    std::size_t count = 0;
    const auto result = transport_.write(prepared.octets, count);
    if (result == Io::kError) return gone();
    if (count == prepared.octets.size()) {
        if (stream_ != 0) services_.state.end_stream(stream_);
        services_.state.on_completed(prepared.usage.prompt, prepared.usage.completion);
        phase_ = Phase::kReading;
        return true;
    }
    playback_.resume(std::string_view{prepared.octets}.substr(count), prepared.usage);
    return pump();
}

void Connection::start_answer(Answer answer, const Request& request) {
    const auto now = now_ns();
    const bool repeatable = answer.reply.repeatable && request.keep_alive && answer.reply.status == 200;
    if (answer.reply.events) stream_ = services_.state.begin_stream(answer.model);
    playback_.start(std::move(answer.reply), answer.behaviour, request.keep_alive, now);
    if (!repeatable) return;
    playback_.fill(now);
    if (stream_ != 0) services_.state.on_events(stream_, playback_.events_filled(), now);
    if (playback_.complete()) keep_prepared(request, answer);
}

void Connection::keep_prepared(const Request& request, const Answer& answer) {
    services_.prepared.put({.target = std::string{request.target},
                            .body = std::string{request.body},
                            .model = answer.model,
                            .octets = std::string{playback_.pending()},
                            .events = playback_.events_total(),
                            .usage = playback_.usage()});
}

bool Connection::flush() {
    const auto all = playback_.pending();
    std::size_t count = 0;
    const auto result = transport_.write(playback_.trickles() ? all.substr(0, 1) : all, count);
    if (result == Io::kError || result == Io::kEof) return false;
    playback_.sent(count);
    blocked_ = result != Io::kDone;
    if (playback_.trickles()) next_octet_ns_ = now_ns() + kTrickleGapNs;
    return true;
}

bool Connection::pump() {
    if (phase_ != Phase::kAnswering) return true;
    blocked_ = false;
    while (!blocked_) {
        const auto gate = playback_.pending().empty() ? playback_.not_before() : next_octet_ns_;
        const auto now = gate != 0 ? now_ns() : 0;
        if (now < gate) {
            timer_ = gate;
            return true;
        }
        if (playback_.pending().empty()) {
            if (!playback_.fill(now_ns())) return ended();
            if (stream_ != 0) services_.state.on_events(stream_, playback_.events_filled(), now_ns());
        }
        if (!flush()) return gone();
    }
    return true;
}

bool Connection::on_timer() {
    timer_ = 0;
    if (waiting()) return check_wait();
    if (phase_ != Phase::kAnswering || blocked_) return true;
    return pump() && process();
}

bool Connection::ended() {
    if (playback_.end() == Playback::End::kHang) {
        phase_ = Phase::kHanging;
        return true;
    }
    if (stream_ != 0) services_.state.end_stream(stream_);
    if (counts_) {
        const bool paid = playback_.successful();
        services_.state.on_completed(paid ? playback_.usage().prompt : 0, paid ? playback_.usage().completion : 0);
    }
    phase_ = Phase::kReading;
    next_octet_ns_ = 0;
    if (playback_.end() == Playback::End::kReset) transport_.reset_on_close();
    return playback_.end() == Playback::End::kKeepOpen;
}

} // namespace tollgate::mock
