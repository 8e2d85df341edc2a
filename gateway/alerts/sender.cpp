#include "gateway/alerts/sender.hpp"

#include "gateway/alerts/message.hpp"
#include "gateway/base/log.hpp"
#include "metrics/families.hpp"
#include "policy/alerts/retry.hpp"
#include "policy/quota/denial.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <pthread.h>

namespace tollgate::alerts {
namespace {

using policy::alerts::Alert;
using policy::quota::kScopeKinds;

constexpr auto kTick = std::chrono::milliseconds(100);
constexpr auto kTroublePause = std::chrono::seconds(5); // until a book that failed is asked again
constexpr auto kLongestSleep = std::chrono::minutes(1); // the wall clock may be set
constexpr auto kPrunePeriod = std::chrono::hours(24);
constexpr std::size_t kMostAnswer = 64 * 1024; // octets that are read; the status alone counts

// Reads on, so that the other side is not cut off while it writes.
Task<void> drain(http::BodyReader& body) {
    for (std::size_t seen = 0; seen < kMostAnswer && !body.complete() && !body.failed();)
        seen += (co_await body.next()).size();
}

} // namespace

Sender::Sender(std::unique_ptr<policy::alerts::Book> book, net::Resolver& resolver, metrics::Registry& registry)
    : book_(std::move(book)), resolver_(resolver), shard_(registry.make_shard()) {
    make_counters(registry);
}

Sender::~Sender() {
    stop(Duration::zero());
}

void Sender::make_counters(metrics::Registry& registry) {
    using metrics::Family;
    for (const std::string_view kind : kScopeKinds) {
        auto& row = passed_.emplace_back();
        for (std::size_t i = 0; i < kThresholds.size(); ++i)
            row[i] = registry.counter(Family::budget_alerts_total, {kind, std::to_string(kThresholds[i])});
    }
    delivered_ = registry.counter(Family::alert_deliveries_total, {"delivered"});
    failed_ = registry.counter(Family::alert_deliveries_total, {"failed"});
    abandoned_ = registry.counter(Family::alert_deliveries_total, {"abandoned"});
}

void Sender::start() {
    asio::co_spawn(io_, run(), [](const std::exception_ptr& failure) {
        if (failure) log::error("budget alerts are not delivered any more: an exception ended it");
    });
    thread_ = std::thread([this] {
        ::pthread_setname_np(::pthread_self(), "alerts");
        for (;;) {
            try {
                io_.run();
                return;
            } catch (const std::exception& failure) {
                log::error("an exception reached the alerts' loop", {{"error", failure.what()}});
            }
        }
    });
}

void Sender::stop(Duration patience) {
    if (!thread_.joinable()) return;
    asio::post(io_, [this, patience] {
        stopping_ = true;
        end_at_ = Clock::now() + patience;
        guard_.reset();
        wake_timer_.cancel();
    });
    thread_.join();
}

void Sender::tell(std::vector<policy::quota::Crossing> crossings) {
    if (crossings.empty()) return;
    if (told_.fetch_add(crossings.size(), std::memory_order_relaxed) > kMostWaiting) {
        told_.fetch_sub(crossings.size(), std::memory_order_relaxed);
        return log::error("budget alerts were lost: too many wait to be recorded");
    }
    asio::post(io_, [this, at = WallClock::now(), all = std::move(crossings)]() mutable {
        for (auto& crossing : all) waiting_.push_back({std::move(crossing), at});
        record_waiting();
        wake_timer_.cancel();
    });
}

void Sender::use(WebhookPtr webhook) {
    asio::post(io_, [this, next = std::move(webhook)]() mutable {
        const bool known = webhook_ && next && same(*webhook_, *next);
        webhook_ = std::move(next);
        if (known) return; // its pauses go on, however often keys are edited
        fine(webhook_ ? book_->hasten(WallClock::now()) : book_->close());
        wake_timer_.cancel();
    });
}

bool Sender::fine(const policy::alerts::Book::Result<void>& result) {
    if (!result && !troubled_) log::error("budget alerts cannot be kept", {{"error", result.error()}});
    troubled_ = !result;
    return !troubled_;
}

void Sender::record_waiting() {
    while (!waiting_.empty()) {
        auto recorded = book_->record(waiting_.front().crossing, waiting_.front().at);
        if (!recorded) {
            fine(std::unexpected(recorded.error()));
            return;
        }
        waiting_.pop_front();
        told_.fetch_sub(1, std::memory_order_relaxed);
        troubled_ = false;
        if (*recorded) announce(**recorded);
    }
}

void Sender::announce(const Alert& alert) {
    const policy::quota::Crossing& crossing = alert.crossing;
    const auto kind = std::ranges::find(kScopeKinds, crossing.kind);
    const auto threshold = std::ranges::find(kThresholds, crossing.percent);
    if (kind != kScopeKinds.end() && threshold != kThresholds.end())
        shard_.add(passed_[static_cast<std::size_t>(kind - kScopeKinds.begin())]
                          [static_cast<std::size_t>(threshold - kThresholds.begin())]);
    std::string spent, limit;
    policy::quota::append_usd(spent, crossing.spent);
    policy::quota::append_usd(limit, crossing.limit);
    log::warning("a budget has passed a threshold", {{"scope", crossing.kind},
                                                     {"name", crossing.name},
                                                     {"period", crossing.period},
                                                     {"percent", std::to_string(crossing.percent)},
                                                     {"spent_usd", spent},
                                                     {"limit_usd", limit},
                                                     {"alert", alert.id}});
}

Task<void> Sender::run() {
    boost::system::error_code ignored;
    while (!stopping_) {
        prune();
        record_waiting();
        const auto alert = next_to_send();
        if (alert) co_await deliver(*alert);
        if (alert && !troubled_) continue;
        wake_timer_.expires_after(pause(WallClock::now()));
        co_await wake_timer_.async_wait(asio::redirect_error_t<UseTask>(UseTask{}, ignored));
    }
}

std::optional<Alert> Sender::next_to_send() {
    if (!webhook_) {
        fine(book_->close()); // of what was recorded since
        return std::nullopt;
    }
    if (unmarked_) { // sent already: not again before that is written
        if (!fine(book_->delivered(*unmarked_, WallClock::now()))) return std::nullopt;
        unmarked_.reset();
    }
    auto due = book_->due(WallClock::now());
    if (due) return std::move(*due);
    fine(std::unexpected(due.error()));
    return std::nullopt;
}

Duration Sender::pause(WallTime now) {
    if (troubled_) return kTroublePause;
    if (!webhook_) return kLongestSleep;
    const auto next = book_->next_due(now);
    if (!next) {
        fine(std::unexpected(next.error()));
        return kTroublePause;
    }
    if (!*next) return kLongestSleep;
    return std::clamp<Duration>(**next - now, std::chrono::milliseconds(1), kLongestSleep);
}

void Sender::prune() {
    if (Clock::now() < prune_at_) return;
    prune_at_ = Clock::now() + kPrunePeriod;
    fine(book_->prune(WallClock::now()));
}

// While something is being sent: deadlines, and the end of a stop's patience.
void Sender::tick() {
    const TimePoint now = Clock::now();
    deadlines_.tick(now);
    if (attempt_ == nullptr) return;
    if (now >= end_at_) return attempt_->abort();
    tick_timer_.expires_after(kTick);
    tick_timer_.async_wait([this](boost::system::error_code error) {
        if (!error) tick();
    });
}

Task<void> Sender::deliver(Alert alert) {
    const WebhookPtr webhook = webhook_; // a reload may replace it meanwhile
    const std::string problem = co_await send(*webhook, alert);
    const WallTime now = WallClock::now();
    if (!problem.empty()) {
        if (Clock::now() < end_at_) note_failure(alert, problem, now);
        co_return;
    }
    shard_.add(delivered_);
    log::info("a budget alert was delivered", {{"alert", alert.id}});
    if (!fine(book_->delivered(alert, now))) {
        unmarked_ = std::move(alert);
        co_return;
    }
    fine(book_->hasten(now));
}

void Sender::note_failure(const Alert& alert, std::string_view problem, WallTime now) {
    const auto next = policy::alerts::next_attempt(alert.attempts + 1, alert.at, now);
    shard_.add(next ? failed_ : abandoned_);
    const auto say = next ? log::warning : log::error;
    say(next ? "a budget alert could not be delivered" : "a budget alert is given up",
        {{"alert", alert.id}, {"error", problem}, {"attempts", std::to_string(alert.attempts + 1)}});
    fine(book_->failed(alert, next));
}

// What went wrong, for the log; empty: the webhook took it.
Task<std::string> Sender::send(const Webhook& webhook, const Alert& alert) {
    const std::string body = body_of(alert);
    const std::string head =
        head_of(webhook.target.reveal(), webhook.endpoint->host_line, body, webhook.secret, WallClock::now());
    upstream::Payload payload;
    payload.pieces.add(body);
    upstream::Limits limits;
    limits.timeouts = {webhook.timeout, webhook.timeout, webhook.timeout, webhook.timeout};
    limits.may_reuse = false;
    limits.total_deadline = Clock::now() + webhook.timeout;
    upstream::Attempt attempt({io_, blocks_, deadlines_, resolver_, pool_}, *webhook.endpoint);
    attempt_ = &attempt;
    tick();
    const bool answered = co_await attempt.run(head, payload, false, limits);
    if (answered) {
        attempt.channel().expire_hard_at(limits.total_deadline, "total");
        co_await drain(attempt.body());
    }
    attempt_ = nullptr;
    tick_timer_.cancel();
    if (!answered) co_return attempt.error().message;
    const int status = attempt.head().status;
    if (status >= 200 && status <= 299) co_return std::string();
    co_return fmt::format("The webhook answered {}.", status);
}

} // namespace tollgate::alerts
