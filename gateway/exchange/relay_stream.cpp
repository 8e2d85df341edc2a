#include "gateway/api/chat_answer.hpp"
#include "gateway/api/completions_via_chat.hpp"
#include "gateway/api/errors.hpp"
#include "gateway/api/objects.hpp"
#include "gateway/api/replay/stream_assembler.hpp"
#include "gateway/api/stream_cut.hpp"
#include "gateway/exchange/cache_phase.hpp"
#include "gateway/exchange/event_sieve.hpp"
#include "gateway/exchange/flight_lead.hpp"
#include "gateway/exchange/follow.hpp"
#include "gateway/exchange/outlet.hpp"
#include "gateway/exchange/owned_objects.hpp"
#include "gateway/exchange/receipt.hpp"
#include "gateway/exchange/relay_plan.hpp"
#include "gateway/exchange/reply.hpp"
#include "gateway/exchange/stream_tap.hpp"
#include "gateway/exchange/upstream_request.hpp"
#include "gateway/upstream/choose.hpp"

namespace tollgate::exchange {
namespace {

constexpr std::string_view kEventStream = "text/event-stream; charset=utf-8";

class StreamRelay {
  public:
    StreamRelay(Plan& plan, const upstream::Candidate* candidate)
        : plan_(plan), ex_(plan.ex), tap_(ex_.route->operation, ex_.worker.answer_reader, ex_.started, ex_.metering),
          outlet_(ex_, 200, kEventStream, std::nullopt, plan.extra), added_usage_(asks_for_usage(ex_, plan.provider)),
          owned_(!creates_stored_response(ex_)) {
        if (upstream::turns_to_chat(*ex_.route, candidate)) converter_.emplace(ex_.model_name);
        if (ex_.account.cuts_streams && tap_.needs_terminator())
            cut_.emplace(converter_ ? api::Operation::chat : ex_.route->operation, ex_.view.cost.n);
        const auto dialect = api::replay::dialect_of(*ex_.route);
        if (ex_.cache.store && dialect) assembler_.emplace(*dialect, ex_.snapshot->config.cache.max_entry);
    }

    Task<Result<void>> run();

  private:
    Task<Result<void>> step();
    Task<Result<void>> pass(std::string_view piece);
    Task<Result<void>> send(std::string_view octets, bool last);
    Task<Result<void>> end_broken(Error error);
    Task<Result<void>> own_response();
    Task<Result<void>> end_cut(std::string_view piece);
    void end_stream_usage();
    void on_event(const TapEvent& event);
    void on_whole_event(const TapEvent& event);
    void convert(std::string_view event);
    void follow(const TapEvent& event);
    void assemble_converted(std::string_view event);
    void assemble(std::string_view data);
    void keep();
    std::string_view passing(std::string_view piece, bool last);
    std::string cut_events();
    [[nodiscard]] bool sifts() const noexcept { return added_usage_ || receipt_; }

    Plan& plan_;
    Exchange& ex_;
    StreamTap tap_;
    Outlet outlet_;
    const bool receipt_ = wants_receipt(ex_);
    const bool added_usage_; // we asked for the usage, the client did not: its chunk stays here
    EventSieve sieve_;
    std::optional<api::StreamCut> cut_;                     // where a limit may end the stream
    std::optional<std::size_t> cut_at_;                     // of the piece: the end of its last event that goes on
    std::optional<api::replay::StreamAssembler> assembler_; // while the completion may still be kept
    std::optional<api::ChatStreamToCompletions> converter_;
    std::string converted_;
    std::optional<Error> conversion_error_;
    std::optional<std::string> response_id_;
    bool owned_; // there is nothing, or nothing more, to be given to its owner
    bool last_ = false;
};

void StreamRelay::convert(std::string_view event) {
    auto out = converter_->event(event);
    if (out)
        converted_ += *out;
    else if (!conversion_error_)
        conversion_error_ = out.error();
}

void StreamRelay::on_event(const TapEvent& event) {
    on_whole_event(event);
    follow(event);
}

void StreamRelay::on_whole_event(const TapEvent& event) {
    const bool ours = added_usage_ && event.usage_only && !receipt_;
    const bool tells = receipt_ && place_in_usage(event.data).has_value();
    if (ours && ex_.lead != nullptr) ex_.lead->note_usage(event.data);
    if (converter_) {
        if (assembler_) assemble_converted(event.octets);
        if (!ours) convert(tells ? with_receipt(ex_, event.octets, true) : event.octets);
        return;
    }
    assemble(event.data);
    if (!owned_ && !response_id_)
        response_id_ = ex_.route->operation == api::Operation::chat ? api::created_id(event.data)
                                                                    : api::created_response_id(event.data);
    if (tells)
        sieve_.replaced(event.end, with_receipt(ex_, event.octets, true));
    else if (sifts())
        sieve_.event(event.end, !ours);
}

// Kept is what the client's dialect says, without what is told to this client alone, but with the usage.
void StreamRelay::assemble_converted(std::string_view event) {
    const auto out = converter_->event(event);
    if (!out) return assembler_.reset();
    for (std::string_view rest = *out; !rest.empty();) assemble(api::take_sse_event(rest).data);
}

void StreamRelay::assemble(std::string_view data) {
    if (!assembler_) return;
    assembler_->feed(data);
    const std::size_t octets = ex_.body.memory.size() + assembler_->held();
    if (assembler_->failed() || !ex_.held.grow_to(octets, ex_.snapshot->config.body.held)) assembler_.reset();
}

// Before the last event leaves: who has seen it and asks again has a hit.
void StreamRelay::keep() {
    if (!assembler_ || tap_.error_seen()) return;
    if (auto completion = assembler_->finish()) store_stream(ex_, std::move(*completion));
    assembler_.reset();
}

// Takes what the stream uses beyond its reserve; the first event for which nothing is left is the last that goes on.
void StreamRelay::follow(const TapEvent& event) {
    if (!cut_) {
        (void)keep_covered(ex_);
        return;
    }
    cut_->observe(event.data);
    if (tap_.terminated() || keep_covered(ex_)) return;
    cut_at_ = event.end;
    tap_.stop();
}

std::string_view StreamRelay::passing(std::string_view piece, bool last) {
    if (converter_) return converted_;
    return sifts() ? sieve_.end(last) : piece;
}

// The usage is settled: what is told is what is charged.
std::string StreamRelay::cut_events() {
    const api::Usage& used = ex_.metering.settled;
    std::string end = cut_->end({.input = used.input.value_or(0),
                                 .output = used.output.value_or(0),
                                 .told = ex_.view.include_usage || receipt_},
                                ex_.record.limit_name == "budget" ? "budget" : ex_.record.limit_name);
    if (receipt_) end = with_receipt(ex_, end, false);
    if (!converter_) return end;
    converted_.clear();
    for (std::size_t from = 0, to = 0; (to = end.find("\n\n", from)) != std::string::npos; from = to + 2)
        convert(std::string_view(end).substr(from, to + 2 - from));
    return converted_;
}

// A limit that cuts streams has run out: the stream gets its dialect's proper end, and its provider nothing more to do.
Task<Result<void>> StreamRelay::end_cut(std::string_view piece) {
    last_ = true;
    std::string octets(converter_ ? std::string_view(converted_)
                       : sifts()  ? sieve_.end(false)
                                  : piece.substr(0, *cut_at_));
    ex_.cache.store = false;
    end_stream_usage();
    octets += cut_events();
    plan_.attempt.abort();
    auto sent = co_await send(octets, true);
    co_return sent;
}

Task<Result<void>> StreamRelay::send(std::string_view octets, bool last) {
    if (!co_await outlet_.send(octets, last)) co_return fail(client_left());
    co_return Result<void>();
}

void StreamRelay::end_stream_usage() {
    ex_.record.first_token = tap_.first_token();
    end_usage(ex_);
}

// After commit a failure ends the stream with an error event in the client's dialect; `[DONE]` is never invented.
Task<Result<void>> StreamRelay::end_broken(Error error) {
    last_ = true;
    record_error(ex_, error);
    end_stream_usage();
    if (!ex_.answer_started || ex_.client_gone) co_return fail(std::move(error));
    if (ex_.lead != nullptr) ex_.lead->fail(error);
    std::string event = tap_.mid_event() ? "\n\n" : "";
    event += api::error_event(error, ex_.id.view(), ex_.route->operation == api::Operation::responses);
    co_await outlet_.send(event, false);
    ex_.close_after = true;
    co_return fail(std::move(error));
}

// Before the client learns the id, so that it can come back to it at once.
Task<Result<void>> StreamRelay::own_response() {
    if (!response_id_ || owned_) co_return Result<void>();
    owned_ = true;
    auto done = co_await exchange::own_response(ex_, plan_.provider, *response_id_);
    co_return done;
}

Task<Result<void>> StreamRelay::pass(std::string_view piece) {
    const bool done = tap_.terminated() && ex_.route->operation != api::Operation::responses;
    const bool ended = plan_.attempt.body().complete();
    const bool truncated = ended && tap_.needs_terminator() && !tap_.terminated() && !tap_.error_seen();
    last_ = done || ended;
    const std::string_view octets = passing(piece, last_);
    // The terminal event is the last that the client waits for, wherever the connection ends.
    if (tap_.terminated() || last_) {
        if (tap_.terminated()) keep();
        ex_.metering.complete = !truncated && !tap_.error_seen();
        if (tap_.error_seen()) record_error(ex_, bad_answer(plan_.provider.name, "an error inside the stream"));
        if (!truncated) end_stream_usage();
    }
    auto sent = co_await send(octets, last_ && !truncated);
    if (!sent || !truncated) co_return sent;
    auto broken = co_await end_broken(plan_.attempt.broken_body_error());
    co_return broken;
}

Task<Result<void>> StreamRelay::step() {
    http::BodyReader& reader = plan_.attempt.body();
    arm_idle(ex_, plan_.attempt, plan_.total_deadline);
    const std::string_view piece = co_await reader.next();
    if (reader.failed() && tap_.terminated()) { // the stream said that it was over; only the framing's end is missing
        last_ = true;
        auto sent = co_await send({}, true);
        co_return sent;
    }
    Error broken;
    if (reader.failed()) {
        broken = broke_off(ex_, plan_.attempt);
    } else {
        converted_.clear();
        sieve_.begin(piece);
        const bool fits = tap_.feed(piece, Clock::now(), [this](const TapEvent& event) { on_event(event); });
        note_progress(ex_);
        if (fits && !conversion_error_) {
            auto owned = co_await own_response();
            if (owned) {
                auto passed = co_await (cut_at_ ? end_cut(piece) : pass(piece));
                co_return passed;
            }
            broken = owned.error();
        } else {
            broken =
                conversion_error_ ? *conversion_error_ : bad_answer(plan_.provider.name, "an event that is too large");
        }
    }
    auto ended = co_await end_broken(std::move(broken));
    co_return ended;
}

Task<Result<void>> StreamRelay::run() {
    ex_.worker.metrics.shard().add(ex_.worker.streams_open, 1);
    const bool told = added_usage_ || ex_.view.include_usage || ex_.route->operation == api::Operation::responses;
    if (ex_.lead != nullptr) ex_.lead->stream(told);
    Result<void> result;
    while (!last_ && result) result = co_await step();
    if (!result && !ex_.record.error) record_error(ex_, result.error());
    end_stream_usage();
    ex_.worker.metrics.shard().add(ex_.worker.streams_open, -1);
    ex_.record.max_gap = tap_.max_gap();
    co_return result;
}

} // namespace

Task<Result<void>> relay_stream(Plan& plan, const upstream::Candidate* candidate) {
    StreamRelay relay(plan, candidate);
    auto result = co_await relay.run();
    co_return result;
}

} // namespace tollgate::exchange
