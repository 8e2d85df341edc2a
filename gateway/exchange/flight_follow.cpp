#include "gateway/exchange/flight_follow.hpp"

#include "gateway/api/errors.hpp"
#include "gateway/api/replay/replay.hpp"
#include "gateway/exchange/flight_port.hpp"
#include "gateway/exchange/outlet.hpp"
#include "gateway/exchange/relay_plan.hpp"
#include "gateway/exchange/reply.hpp"

#include <fmt/format.h>

#include <optional>

namespace tollgate::exchange {
namespace {

constexpr std::size_t kPieceAtOnce = 64 * 1024; // octets of one write, where several segments wait

Error too_late(const Exchange& ex) {
    return Error{.type = ErrorType::gateway_timeout,
                 .status = 504,
                 .message =
                     fmt::format("The call that this request shares with others did not end within {} s (total).",
                                 std::chrono::floor<std::chrono::seconds>(ex.model->timeouts.total).count()),
                 .openai_type = "server_error"};
}

Error fell_behind() {
    return Error{.type = ErrorType::caller_cancelled,
                 .status = 499,
                 .message = "The client read so slowly that the rest of the shared answer is not held any more."};
}

// Whatever ends the waiting early: the client leaves, the process stops, time is up.
class Interruption final : public net::PeerWatcher, public Interruptible {
  public:
    Interruption(Exchange& ex, FlightWaiter& waiter) : ex_(ex), waiter_(waiter), limit_(*this) {
        ex_.worker.running.push_back(*this);
        limit_.expire_at(Clock::now() + ex_.model->timeouts.total, "total");
        ex_.client.watch(this);
    }
    ~Interruption() override { ex_.client.watch(nullptr); }
    Interruption(const Interruption&) = delete;
    Interruption& operator=(const Interruption&) = delete;

    void on_peer_gone() override {
        ex_.client_gone = true;
        interrupt(client_left());
    }
    void on_shutdown() override { interrupt(shutdown_error()); }

    std::optional<Error> why;

  private:
    class Limit final : public Deadline {
      public:
        explicit Limit(Interruption& owner) : Deadline(owner.ex_.worker.deadlines), owner_(owner) {}

      private:
        void on_expired() override { owner_.interrupt(too_late(owner_.ex_)); }
        void on_terminate() override { owner_.on_shutdown(); }
        Interruption& owner_;
    };

    void interrupt(Error error) {
        if (!why) why = std::move(error);
        waiter_.unlink();
        waiter_.wake.notify();
    }

    Exchange& ex_;
    FlightWaiter& waiter_;
    Limit limit_;
};

class Follow {
  public:
    Follow(Exchange& ex, const cache::FlightPtr& flight)
        : ex_(ex), port_(FlightPort::of(ex.worker, flight)), interruption_(ex, waiter_) {}

    Task<FollowResult> run();

  private:
    [[nodiscard]] const cache::Flight::Reading& reading() const { return port_->reading(); }
    void begin(std::string_view type, std::optional<std::uint64_t> length);
    cache::FlightSegment take();
    Task<void> wait();
    Task<FollowResult> broken(Error error);
    [[nodiscard]] bool is_convertible() const;
    [[nodiscard]] bool needs_other_form() const;
    Task<FollowResult> send_converted();

    Exchange& ex_;
    const std::shared_ptr<FlightPort> port_;
    FlightWaiter waiter_;
    Interruption interruption_;
    cache::FlightHeadPtr head_;
    std::optional<Outlet> outlet_;
    std::string fields_;
    std::uint64_t position_ = 0; // of the next segment
    bool mid_event_ = false;
};

// The head as an own call would have had it, but for what is this request's own.
void Follow::begin(std::string_view type, std::optional<std::uint64_t> length) {
    head_ = reading().head;
    fields_ = head_->fields;
    http::append_field(fields_, "x-tollgate-model", ex_.model_name);
    if (!head_->upstream.empty()) http::append_field(fields_, "x-tollgate-upstream", head_->upstream);
    ex_.upstream_request_id = head_->upstream_request_id;
    ex_.record.upstream_request_id = ex_.upstream_request_id;
    ex_.record.upstream = Clock::now() - ex_.started; // it waited for the provider as its leader did
    if (ex_.record.stream) ex_.record.first_token = ex_.record.upstream;
    if (head_->status >= 300) record_error(ex_, api::judge_provider_status(head_->status, 0, head_->upstream).error);
    outlet_.emplace(ex_, head_->status, type, length, fields_);
}

cache::FlightForm form_of(const Exchange& ex) {
    if (!ex.record.stream) return cache::FlightForm::json;
    return ex.view.include_usage ? cache::FlightForm::events_with_usage : cache::FlightForm::events;
}

// An error is told as JSON whatever was asked for.
bool Follow::needs_other_form() const {
    const auto& head = reading().head;
    return head && head->status < 300 && head->form != form_of(ex_);
}

bool Follow::is_convertible() const {
    return reading().first == 0 && reading().head->tells_usage && api::replay::dialect_of(*ex_.route).has_value();
}

Task<FollowResult> Follow::send_converted() {
    const auto dialect = *api::replay::dialect_of(*ex_.route);
    const auto& whole = port_->completion(dialect);
    const std::int64_t now = WallClock::to_time_t(WallClock::now());
    const api::replay::Identity identity{.token = ex_.id.view(), .now = now};
    std::optional<std::string> body;
    if (whole && ex_.record.stream)
        body = api::replay::as_events(dialect, *whole, identity, ex_.view.include_usage);
    else if (whole)
        body = api::replay::as_json(dialect, *whole, identity);
    if (!body) co_return FollowResult{.what = Followed::go_alone, .result = {}};
    begin(ex_.record.stream ? "text/event-stream; charset=utf-8" : "application/json",
          ex_.record.stream ? std::nullopt : std::optional<std::uint64_t>(body->size()));
    record_served(ex_, reading().cost.value_or(-1), head_->upstream);
    FollowResult out;
    if (!co_await outlet_->send(*body, true)) out.result = fail(client_left());
    co_return out;
}

// What can leave in one write. Held by the caller: the log may drop it meanwhile.
cache::FlightSegment Follow::take() {
    const auto& log = reading();
    const auto at = [&](std::uint64_t position) -> const cache::FlightSegment& {
        return log.segments[static_cast<std::size_t>(position - log.first)];
    };
    cache::FlightSegment piece = at(position_++);
    if (position_ == log.next() || piece->size() + at(position_)->size() > kPieceAtOnce) return piece;
    auto several = std::make_shared<std::string>(*piece);
    while (position_ < log.next() && several->size() + at(position_)->size() <= kPieceAtOnce)
        *several += *at(position_++);
    return several;
}

Task<void> Follow::wait() {
    port_->add(waiter_);
    co_await waiter_.wake.wait();
}

// As at the end of an own call: nothing has left, or the stream ends with an error event.
Task<FollowResult> Follow::broken(Error error) {
    FollowResult out;
    record_error(ex_, error);
    if (ex_.answer_started && !ex_.client_gone) {
        ex_.close_after = true;
        if (ex_.record.stream) {
            std::string event = mid_event_ ? "\n\n" : "";
            event += api::error_event(error, ex_.id.view(), ex_.route->operation == api::Operation::responses);
            co_await outlet_->send(event, false);
        }
    }
    out.result = fail(std::move(error));
    co_return out;
}

Task<FollowResult> Follow::run() {
    for (;;) {
        const auto& log = reading();
        if (interruption_.why || position_ < log.first) {
            if (!interruption_.why && !outlet_) co_return FollowResult{.what = Followed::go_alone, .result = {}};
            auto out = co_await broken(interruption_.why ? *interruption_.why : fell_behind());
            co_return out;
        }
        const bool more = position_ < log.next();
        if (needs_other_form()) {
            if (!is_convertible()) co_return FollowResult{.what = Followed::go_alone, .result = {}};
            if (log.end == cache::FlightEnd::complete) {
                auto out = co_await send_converted();
                co_return out;
            }
        } else if (more || log.end == cache::FlightEnd::complete) {
            if (!outlet_) begin(log.head->content_type, log.head->length);
            const cache::FlightSegment piece = more ? take() : std::make_shared<const std::string>();
            const bool last = log.end == cache::FlightEnd::complete && position_ == log.next();
            mid_event_ = !piece->ends_with("\n\n");
            if (last && head_->status < 300) record_served(ex_, log.cost.value_or(-1), head_->upstream);
            if (!co_await outlet_->send(*piece, last)) co_return FollowResult{.result = fail(client_left())};
            if (last) co_return FollowResult{};
            continue;
        }
        if (log.end == cache::FlightEnd::abandoned)
            co_return FollowResult{.what = Followed::elect, .result = {}, .election = log.next_election};
        if (log.end == cache::FlightEnd::failed) {
            auto out = co_await broken(*log.error);
            co_return out;
        }
        co_await wait();
    }
}

} // namespace

Task<FollowResult> follow(Exchange& ex, cache::FlightPtr flight) {
    ex.client.tolerate_half_close(ex.snapshot->config.listen.half_close == config::HalfClose::serve);
    ex.client.cap_writes(Clock::now() + ex.model->timeouts.total);
    Follow one(ex, flight);
    auto result = co_await one.run();
    co_return result;
}

} // namespace tollgate::exchange
