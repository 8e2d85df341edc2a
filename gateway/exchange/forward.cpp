#include "gateway/exchange/forward.hpp"

#include "gateway/api/errors.hpp"
#include "gateway/base/log.hpp"
#include "gateway/base/text.hpp"
#include "gateway/exchange/flight_lead.hpp"
#include "gateway/exchange/outlet.hpp"
#include "gateway/exchange/owned_objects.hpp"
#include "gateway/exchange/phases.hpp"
#include "gateway/exchange/relay.hpp"
#include "gateway/exchange/reply.hpp"
#include "gateway/exchange/upstream_request.hpp"
#include "gateway/upstream/choose.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tollgate::exchange {
namespace {

constexpr std::size_t kMaxAttempts = 3; // the first and at most two more (design §11)
constexpr std::uint64_t kErrorBodyCap = 1 << 20;
constexpr std::uint64_t kMaxRetryAfterMs = 300'000; // case 311

// While an upstream call runs, a client that leaves and a process that stops end it at once.
class CallWatch final : public net::PeerWatcher, public Interruptible {
  public:
    CallWatch(Exchange& ex, upstream::Attempt& attempt) : ex_(ex), attempt_(attempt) {
        ex_.worker.running.push_back(*this);
        if (ex_.lead != nullptr) ex_.lead->watch(this);
        ex_.client.watch(this);
    }
    ~CallWatch() override {
        ex_.client.watch(nullptr);
        if (ex_.lead != nullptr) ex_.lead->watch(nullptr);
    }
    CallWatch(const CallWatch&) = delete;
    CallWatch& operator=(const CallWatch&) = delete;

    void on_peer_gone() override {
        if (ex_.lead != nullptr && ex_.lead->keeps_on()) return;
        ex_.client_gone = true;
        attempt_.abort();
    }
    void on_shutdown() override { attempt_.abort(); }

  private:
    Exchange& ex_;
    upstream::Attempt& attempt_;
};

// Provider keys are used in turn. What a stored object is involved in always goes to the first one's account.
std::size_t key_turn(const Exchange& ex) {
    const bool stateful = !ex.route->group.empty() || creates_stored_response(ex) || ex.view.has_previous_response ||
                          ex.view.has_remote_content || ex.view.has_hosted_tools;
    return stateful ? 0 : static_cast<std::size_t>(ex.worker.requests);
}

struct Choice {
    const upstream::Provider* provider = nullptr;
    const upstream::Candidate* candidate = nullptr;
};

std::vector<Choice> choices(Exchange& ex) {
    std::vector<Choice> out;
    if (ex.model == nullptr) {
        out.push_back({ex.group_provider, nullptr});
        return out;
    }
    for (const upstream::Candidate* candidate : upstream::try_order(ex.model->candidates, ex.worker.random)) {
        if (upstream::can_serve(*ex.route, *candidate)) out.push_back({candidate->provider, candidate});
    }
    return out;
}

// The waits of one attempt end here, and what it did goes into the record, however it ends.
class AttemptScope {
  public:
    AttemptScope(Exchange& ex, const upstream::Provider& provider) : ex_(ex), started_(Clock::now()) {
        if (ex_.record.attempt_count == metrics::kMaxAttempts) --ex_.record.attempt_count; // the last slot is reused
        record_ = &ex_.record.attempts[ex_.record.attempt_count++];
        *record_ = metrics::AttemptRecord{};
        record_->started = started_;
        record_->upstream = provider.name;
        record_->upstream_index = provider.index;
        const auto* const counted = WorkerState::find_metrics(ex_.worker.provider_metrics, provider);
        if (counted != nullptr) active_ = counted->active;
        ex_.worker.metrics.shard().add(active_, 1);
    }
    ~AttemptScope() {
        head_arrived();
        record_->duration = Clock::now() - started_;
        record_->cancelled = ex_.client_gone;
        ex_.worker.metrics.shard().add(active_, -1);
    }
    AttemptScope(const AttemptScope&) = delete;
    AttemptScope& operator=(const AttemptScope&) = delete;

    // Up to here the gateway waited for the provider; the rest is relaying.
    void head_arrived() {
        if (counted_) return;
        counted_ = true;
        ex_.record.upstream += Clock::now() - started_;
    }
    metrics::AttemptRecord& record() { return *record_; }

  private:
    Exchange& ex_;
    TimePoint started_;
    metrics::AttemptRecord* record_;
    metrics::Gauge active_;
    bool counted_ = false;
};

std::uint64_t retry_after_of(const http::ResponseHead& head) {
    if (const auto ms = head.find("retry-after-ms")) {
        if (const auto value = parse_decimal(*ms)) return std::min(*value, kMaxRetryAfterMs);
    }
    const auto seconds = parse_decimal(head.find("retry-after").value_or(""));
    return seconds ? std::min(*seconds, kMaxRetryAfterMs / 1000) * 1000 : 0;
}

std::string clean_id(std::string_view value) {
    const bool clean = !value.empty() && value.size() <= 128 && std::ranges::all_of(value, [](char c) {
        return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || c == '-' || c == '_' ||
               c == '.' || c == ':';
    });
    return clean ? std::string(value) : std::string();
}

enum class Next : std::uint8_t { done, same_again, other_upstream };

struct Outcome {
    Result<void> result;
    Next next = Next::done;
};

// A second attempt is decided by facts: what was sent, what came back, whether the call may be made twice.
Next after_failed_call(const Exchange& ex, const upstream::Attempt& attempt) {
    if (ex.client_gone || attempt.aborted()) return Next::done;
    if (attempt.reused() && !attempt.answered_anything() && !attempt.channel_expired()) return Next::same_again;
    const bool nothing_sent = !attempt.sent_anything();
    const bool repeatable = ex.route->state == api::State::none && ex.body.file < 0;
    return nothing_sent || (repeatable && !attempt.answered_anything()) ? Next::other_upstream : Next::done;
}

// A call that may have used something stays one, whatever becomes of those after it.
void note_dispatch(Metering& metering, bool refused) {
    metering.declined = refused && (metering.declined || !metering.dispatched);
    metering.dispatched = true;
}

// Whatever way a call ends, exceptions included, a provider may have worked on it once octets of it were sent.
class DispatchGuard {
  public:
    DispatchGuard(Metering& metering, const upstream::Attempt& attempt) : metering_(metering), attempt_(attempt) {}
    ~DispatchGuard() {
        if (!noted_ && attempt_.sent_anything()) note_dispatch(metering_, false);
    }
    DispatchGuard(const DispatchGuard&) = delete;
    DispatchGuard& operator=(const DispatchGuard&) = delete;

    void note(bool refused) {
        noted_ = true;
        note_dispatch(metering_, refused);
    }
    // A connection that had ended before is nobody's work.
    void dismiss() { noted_ = true; }

  private:
    Metering& metering_;
    const upstream::Attempt& attempt_;
    bool noted_ = false;
};

// What a provider's failing answer becomes; the body passes unmodified where the client is meant to read it.
Task<Outcome> provider_error(Exchange& ex, upstream::Attempt& attempt, const upstream::Provider& provider,
                             AttemptScope& scope, TimePoint total_deadline) {
    const http::ResponseHead& head = attempt.head();
    auto verdict = ex.is_head() && head.status == 405
                       ? api::judge_head_refused(provider.name)
                       : api::judge_provider_status(head.status, retry_after_of(head), provider.name);
    scope.record().error = verdict.error.type;
    auto body = co_await collect(ex, attempt, kErrorBodyCap, total_deadline);
    Outcome outcome;
    if (ex.client_gone) {
        outcome.result = fail(
            Error{.type = ErrorType::caller_cancelled, .status = 499, .message = "The client closed the connection."});
        co_return outcome;
    }
    const std::string_view type = head.find("content-type").value_or("");
    if (verdict.pass_body && body && type.starts_with("application/json")) {
        record_error(ex, verdict.error);
        end_usage(ex);
        Outlet outlet(ex, verdict.status, "application/json", body->size());
        co_await outlet.send(*body, true);
        co_return outcome;
    }
    outcome.result = fail(std::move(verdict.error));
    const bool transient = head.status == 429 || head.status >= 500;
    if (transient && ex.route->state == api::State::none) outcome.next = Next::other_upstream;
    // Said to the idle connection, not to this request: RFC 9110 §15.5.9 lets a client repeat it on a new one.
    if (head.status == 408 && attempt.reused()) outcome.next = Next::same_again;
    co_return outcome;
}

void observe_dial(Exchange& ex, const upstream::Attempt& attempt, const upstream::Provider& provider) {
    if (!attempt.dial_times()) return;
    ex.worker.observe_connect(provider, *attempt.dial_times());
}

Task<Outcome> attempt_once(Exchange& ex, Choice choice, bool may_reuse, TimePoint total_deadline) {
    Outcome outcome;
    UpstreamRequest request;
    if (auto built = build_upstream_request(ex, *choice.provider, choice.candidate, key_turn(ex), request); !built) {
        outcome.result = fail(built.error());
        co_return outcome;
    }
    AttemptScope scope(ex, *choice.provider);
    upstream::Attempt attempt(ex.worker.surroundings(), *choice.provider);
    const CallWatch watch(ex, attempt);
    DispatchGuard dispatch(ex.metering, attempt);
    upstream::Limits limits;
    if (ex.model != nullptr) limits.timeouts = ex.model->timeouts;
    limits.total_deadline = total_deadline;
    limits.may_reuse = may_reuse && ex.route->state != api::State::create && ex.body.file < 0;
    const bool answered = co_await attempt.run(request.head, request.payload, ex.is_head(), limits);
    scope.head_arrived();
    observe_dial(ex, attempt, *choice.provider);
    if (!answered) {
        const bool interrupted = attempt.aborted() && !ex.client_gone;
        outcome.result = fail(interrupted ? shutdown_error() : attempt.error());
        outcome.next = after_failed_call(ex, attempt);
        if (outcome.next == Next::same_again) dispatch.dismiss();
        scope.record().error = outcome.result.error().type;
        co_return outcome;
    }
    dispatch.note(attempt.head().status >= 300);
    scope.record().status = attempt.head().status;
    const std::string_view id = attempt.head().find("x-request-id").value_or("");
    ex.upstream_request_id = repeats_credential(*choice.provider, id) ? std::string() : clean_id(id);
    ex.record.upstream_request_id = ex.upstream_request_id;
    if (attempt.head().status >= 300) {
        outcome = co_await provider_error(ex, attempt, *choice.provider, scope, total_deadline);
    } else {
        outcome.result = co_await relay(ex, attempt, *choice.provider, choice.candidate, total_deadline);
        if (!outcome.result) scope.record().error = outcome.result.error().type;
    }
    attempt.finish(outcome.result.has_value());
    co_return outcome;
}

// At most one call in ten is a second one, so that a failing provider is not finished off by retries.
bool retry_allowed(Exchange& ex) {
    if (ex.worker.retries * 10 > ex.worker.requests + 100) return false;
    ++ex.worker.retries;
    return true;
}

Task<Result<void>> try_upstreams(Exchange& ex) {
    ++ex.worker.requests;
    const auto timeouts = ex.model != nullptr ? ex.model->timeouts : config::Timeouts{};
    const TimePoint total_deadline = Clock::now() + timeouts.total;
    ex.client.tolerate_half_close(ex.snapshot->config.listen.half_close == config::HalfClose::serve);
    const std::vector<Choice> order = choices(ex);
    Result<void> result = fail(Error{.type = ErrorType::gateway_no_upstream,
                                     .status = 503,
                                     .message = "No upstream serves this model.",
                                     .openai_type = "server_error"});
    bool may_reuse = true;
    std::size_t which = 0;
    for (std::size_t tries = 0; tries < kMaxAttempts && which < order.size(); ++tries) {
        if (ex.worker.terminating) co_return fail(shutdown_error());
        if (tries > 0 && !retry_allowed(ex)) break;
        // Asked for every attempt, so that no later way to an upstream can forget it (design §8).
        if (auto ok = may_use_model(ex); !ok) co_return ok;
        auto outcome = co_await attempt_once(ex, order[which], may_reuse, total_deadline);
        result = std::move(outcome.result);
        if (result || outcome.next == Next::done || ex.answer_started) break;
        if (outcome.next == Next::same_again) {
            may_reuse = false;
        } else {
            may_reuse = true;
            ++which;
        }
    }
    co_return result;
}

} // namespace

Task<Result<void>> forward(Exchange& ex) {
    auto result = co_await try_upstreams(ex);
    if (!result) record_error(ex, result.error());
    end_usage(ex); // of what was not relayed to its end, before the error is sent
    co_return result;
}

} // namespace tollgate::exchange
