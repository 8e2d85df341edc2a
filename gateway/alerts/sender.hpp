// Budget alerts off the request path: a thread of its own records each one once, counts it and delivers it.
#pragma once

#include "gateway/alerts/webhook.hpp"
#include "gateway/base/deadlines.hpp"
#include "gateway/net/listener.hpp"
#include "gateway/net/permits.hpp"
#include "gateway/upstream/attempt.hpp"
#include "gateway/upstream/pool.hpp"
#include "metrics/registry.hpp"
#include "policy/alerts/book.hpp"

#include <boost/asio/executor_work_guard.hpp>

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace tollgate::alerts {

class Sender {
  public:
    // Told and not yet recorded; beyond it alerts are lost, with an error in the log.
    static constexpr std::size_t kMostWaiting = 10'000;

    // `resolver` and `registry` outlive it. Nothing runs before start().
    Sender(std::unique_ptr<policy::alerts::Book> book, net::Resolver& resolver, metrics::Registry& registry);
    ~Sender(); // stop() without patience
    Sender(const Sender&) = delete;
    Sender& operator=(const Sender&) = delete;

    void start();
    // What was told is recorded; a delivery that runs has `patience` to end. What is undelivered waits for the next
    // start. Then the thread is gone.
    void stop(Duration patience);

    // Any thread; never blocks. An alert that was told of this period before is dropped here.
    void tell(std::vector<policy::quota::Crossing> crossings);
    // Any thread. What is undelivered goes there, at once unless it is the same; null: nowhere, ever.
    void use(WebhookPtr webhook);

  private:
    struct Told {
        policy::quota::Crossing crossing;
        WallTime at;
    };
    static constexpr std::array<int, 4> kThresholds{50, 80, 90, 100};

    void make_counters(metrics::Registry& registry);
    void record_waiting();
    void announce(const policy::alerts::Alert& alert);
    Task<void> run();
    [[nodiscard]] std::optional<policy::alerts::Alert> next_to_send();
    [[nodiscard]] Duration pause(WallTime now);
    Task<void> deliver(policy::alerts::Alert alert);
    Task<std::string> send(const Webhook& webhook, const policy::alerts::Alert& alert);
    void note_failure(const policy::alerts::Alert& alert, std::string_view problem, WallTime now);
    void prune();
    void tick();
    bool fine(const policy::alerts::Book::Result<void>& result);

    asio::io_context io_{1};
    asio::executor_work_guard<Executor> guard_{io_.get_executor()};
    std::unique_ptr<policy::alerts::Book> book_;
    net::Resolver& resolver_;
    metrics::Shard shard_;
    std::vector<std::array<metrics::Counter, kThresholds.size()>> passed_; // by scope kind
    metrics::Counter delivered_, failed_, abandoned_;
    DeadlineList deadlines_;
    net::BlockPool blocks_;
    net::Permits no_permits_{0};
    upstream::Pool pool_{no_permits_}; // keeps nothing: a connection per delivery
    net::SteadyTimer wake_timer_{io_};
    net::SteadyTimer tick_timer_{io_};
    WebhookPtr webhook_;
    std::deque<Told> waiting_;
    std::atomic<std::size_t> told_{0};              // on their way here and in waiting_
    std::optional<policy::alerts::Alert> unmarked_; // delivered, which the book does not know
    upstream::Attempt* attempt_ = nullptr;
    TimePoint end_at_ = kNever;
    TimePoint prune_at_{};
    bool stopping_ = false;
    bool troubled_ = false; // the last access to the book failed
    std::thread thread_;
};

} // namespace tollgate::alerts
