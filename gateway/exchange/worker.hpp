// One worker: an io_context of its own, its thread, its listener, its state. Everything it owns is touched from that
// thread only; the rest of the process talks to it through post().
#pragma once

#include "gateway/exchange/worker_counters.hpp"
#include "gateway/exchange/worker_state.hpp"
#include "gateway/net/listener.hpp"
#include "gateway/net/tls.hpp"

#include <boost/asio/executor_work_guard.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

namespace tollgate::exchange {

class Worker {
  public:
    Worker(Shared& shared, SnapshotPtr snapshot, net::TlsContext tls);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    [[nodiscard]] std::expected<void, std::string> listen(const config::Endpoint& endpoint);
    void start(); // the thread

    // From any thread.
    void use(SnapshotPtr snapshot, net::TlsContext tls);
    void stop_accepting(); // closes the listener and the idle connections
    // Interrupts what runs: streams get their error event, requests that wait an error. What is not gone after `grace`
    // is closed. The thread ends when all are gone.
    void terminate(Duration grace);
    void join();
    // When the event loop turned last; it does every 100 ms.
    [[nodiscard]] TimePoint last_turn() const noexcept {
        return TimePoint(Duration(last_turn_.load(std::memory_order_relaxed)));
    }
    // After stop_accepting(): it has happened, and every connection has ended, those that waited to be accepted too.
    [[nodiscard]] bool drained() const noexcept {
        return closed_.load(std::memory_order_acquire) && sessions_.load(std::memory_order_relaxed) == 0;
    }
    [[nodiscard]] Pressure pressure() const noexcept { return pressure_.load(std::memory_order_relaxed); }

  private:
    void accepted(net::TcpSocket socket, std::string address);
    Task<void> serve(net::TcpSocket socket, std::string address, config::Address from);
    Task<net::ChannelPtr> secure(net::TcpSocket socket, config::Address from);
    Task<net::ChannelPtr> shake_hands(net::TcpSocket socket, config::Address from);
    Task<void> tick();
    Task<void> next_turn(TimePoint due);
    void exchange_purges(TimePoint now);
    void renew_pressure(TimePoint now, Duration late);
    void end_everything();

    asio::io_context io_{1};
    asio::executor_work_guard<Executor> guard_;
    std::unique_ptr<WorkerState> state_;
    net::TlsContext tls_;
    net::Listener listener_;
    net::SteadyTimer timer_;
    std::atomic<unsigned> sessions_{0};
    std::atomic<Pressure> pressure_{Pressure::none};
    std::atomic<bool> closed_{false}; // no session can begin
    std::atomic<Duration::rep> last_turn_{Clock::now().time_since_epoch().count()};
    bool stopping_ = false;
    TimePoint silent_until_ = kNever;  // then connections without any request are closed
    TimePoint pressed_since_ = kNever; // no_keep_alive or worse
    TimePoint end_at_ = kNever;        // a stop's grace is over
    std::thread thread_;
    WorkerCounters counters_;
};

} // namespace tollgate::exchange
