#include "gateway/exchange/worker.hpp"

#include "cache/purge_exchange.hpp"
#include "gateway/base/log.hpp"
#include "gateway/exchange/request_body.hpp"
#include "gateway/exchange/session.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>

#include <fmt/chrono.h>

#include <algorithm>
#include <pthread.h>

namespace tollgate::exchange {
namespace {

constexpr auto kTick = std::chrono::milliseconds(100);
constexpr auto kHandshakeTime = std::chrono::seconds(10);
constexpr auto kSilentFirst = std::chrono::milliseconds(1'500); // connections without a request end so much earlier
constexpr auto kFirstRequestGrace = std::chrono::seconds(1);    // a drain waits so long for connections that just came

// Ends a TLS handshake that takes too long.
class HandshakeGuard final : public Deadline {
  public:
    explicit HandshakeGuard(DeadlineList& list) : Deadline(list) {
        expire_at(Clock::now() + kHandshakeTime, "TLS handshake");
    }
    net::Abortable* running = nullptr;

  private:
    void on_expired() override {
        if (running != nullptr) running->abort();
    }
};

// Behind a trusted proxy stand many clients.
bool is_proxy(const config::Listen& listen, const config::Address& address) {
    const auto holds = [&](const auto& range) { return config::contains(range, address); };
    return std::ranges::any_of(listen.trusted_proxies, holds);
}

unsigned most_per_address(const config::Listen& listen, const config::Address& address) {
    if (is_proxy(listen, address)) return listen.max_connections;
    if (listen.connections_per_address != 0) return listen.connections_per_address;
    constexpr unsigned kAlways = 100; // so that a small cap is no trap for its only user
    return std::max(kAlways, listen.max_connections / 2);
}

unsigned most_handshakes(const config::Listen& listen, const config::Address& address) {
    return is_proxy(listen, address) ? kMaxHandshakes : kMaxHandshakes / 4;
}

// Undoes what was counted for a connection that then found no memory.
class Unwind {
  public:
    explicit Unwind(std::atomic<unsigned>& count) : count_(&count) {}
    ~Unwind() {
        if (count_ != nullptr) count_->fetch_sub(1, std::memory_order_relaxed);
    }
    Unwind(const Unwind&) = delete;
    Unwind& operator=(const Unwind&) = delete;
    void keep() { count_ = nullptr; }

  private:
    std::atomic<unsigned>* count_;
};

std::string date_line(WallTime now) {
    return fmt::format("date: {:%a, %d %b %Y %H:%M:%S} GMT\r\n", fmt::gmtime(WallClock::to_time_t(now)));
}

} // namespace

Worker::Worker(Shared& shared, SnapshotPtr snapshot, net::TlsContext tls)
    : guard_(io_.get_executor()), state_(std::make_unique<WorkerState>(io_, shared, std::move(snapshot))),
      tls_(std::move(tls)),
      listener_(
          io_, [this](net::TcpSocket socket, std::string address) { accepted(std::move(socket), std::move(address)); }),
      timer_(io_), counters_(shared.registry) {
    // Who waits for nothing gives its descriptor to who does (F61).
    listener_.on_exhausted([this] {
        state_->deadlines.expire_clock(kKeepAlive);
        state_->pool.close_all();
    });
    state_->date_line = date_line(WallClock::now());
}

Worker::~Worker() {
    join();
}

std::expected<void, std::string> Worker::listen(const config::Endpoint& endpoint) {
    return listener_.open(endpoint.host, endpoint.port, true);
}

void Worker::start() {
    if (state_->redis) state_->redis->start();
    if (state_->leases) state_->leases->start();
    listener_.start();
    asio::co_spawn(io_, tick(), asio::detached);
    thread_ = std::thread([this] {
        ::pthread_setname_np(::pthread_self(), "worker"); // in top -H and in /proc
        for (;;) {
            try {
                io_.run();
                state_->flush_log(); // of the requests that terminate() cut
                return;
            } catch (const std::exception& failure) {
                log::error("an exception reached the event loop", {{"error", failure.what()}});
            }
        }
    });
}

void Worker::use(SnapshotPtr snapshot, net::TlsContext tls) {
    asio::post(io_, [this, next = std::move(snapshot), context = std::move(tls)]() mutable {
        state_->use(std::move(next));
        // Turning TLS on or off needs a restart: a listener must never fall back to clear text.
        if ((tls_ == nullptr) == (context == nullptr)) tls_ = std::move(context);
    });
}

void Worker::stop_accepting() {
    asio::post(io_, [this] {
        listener_.close();
        state_->last_answers = true;
        state_->deadlines.expire_clock(kKeepAlive);
        silent_until_ = Clock::now() + kFirstRequestGrace;
        closed_.store(true, std::memory_order_release);
    });
}

void Worker::terminate(Duration grace) {
    asio::post(io_, [this, grace] {
        listener_.close();
        state_->last_answers = true;
        closed_.store(true, std::memory_order_release);
        state_->interrupt_running();
        state_->deadlines.expire_clock(kKeepAlive);
        state_->deadlines.expire_clock(kFirstRequest);
        state_->deadlines.expire_clock(kRequestHead);
        state_->deadlines.expire_clock(kRequestBody);
        end_at_ = Clock::now() + grace;
        if (drained()) end_everything(); // else the tick does it
    });
}

void Worker::end_everything() {
    if (std::exchange(stopping_, true)) return;
    timer_.cancel();
    if (state_->leases) state_->leases->stop();
    if (state_->redis) state_->redis->stop();
    state_->pool.close_all();
    state_->deadlines.terminate_all();
    state_->flush_log();
    guard_.reset();
}

void Worker::join() {
    if (thread_.joinable()) thread_.join();
}

void Worker::accepted(net::TcpSocket socket, std::string address) {
    if (stopping_) return; // nothing would end it any more
    auto& shared = state_->shared;
    auto& shard = state_->metrics.shard();
    const config::Listen& listen = state_->snapshot->config.listen;
    const unsigned before = shared.connections.fetch_add(1, std::memory_order_relaxed);
    Unwind counted(shared.connections);
    if (before >= listen.max_connections) {
        shard.add(counters_.refused);
        return; // the socket closes here
    }
    const config::Address from = config::parse_address(address).value_or(config::Address{});
    auto lease = shared.sources.enter(net::source_of(from), most_per_address(listen, from));
    if (!lease) {
        shard.add(counters_.refused_source);
        return;
    }
    shard.add(counters_.accepted);
    sessions_.fetch_add(1, std::memory_order_relaxed);
    Unwind begun(sessions_);
    asio::co_spawn(io_, serve(std::move(socket), std::move(address), from),
                   [this, held = std::move(*lease)](const std::exception_ptr& failure) {
                       if (failure) log::error("a connection ended in an exception");
                       sessions_.fetch_sub(1, std::memory_order_relaxed);
                       state_->shared.connections.fetch_sub(1, std::memory_order_relaxed);
                       state_->metrics.shard().add(counters_.connections, -1);
                   });
    shard.add(counters_.connections, 1);
    begun.keep();
    counted.keep();
}

Task<net::ChannelPtr> Worker::secure(net::TcpSocket socket, config::Address from) {
    if (!tls_)
        co_return std::make_shared<net::Channel>(net::make_tcp(std::move(socket)), state_->blocks, state_->deadlines);
    auto channel = co_await shake_hands(std::move(socket), from);
    co_return channel;
}

// One deadline for all of it. The permit is for the work: who says nothing has none to do and takes none.
Task<net::ChannelPtr> Worker::shake_hands(net::TcpSocket socket, config::Address from) {
    auto& shared = state_->shared;
    HandshakeGuard guard(state_->deadlines);
    if (co_await net::await_octets(socket, &guard.running)) {
        state_->metrics.shard().add(counters_.tls_failed);
        co_return nullptr;
    }
    const auto share =
        shared.handshake_sources.enter(net::source_of(from), most_handshakes(state_->snapshot->config.listen, from));
    const auto slot = share ? shared.handshakes.take() : net::Permits::Lease();
    if (!slot) {
        state_->metrics.shard().add(counters_.tls_refused);
        co_return nullptr;
    }
    auto handshake = co_await net::tls_accept(std::move(socket), tls_, &guard.running);
    state_->metrics.shard().add(handshake.transport ? counters_.tls_ok : counters_.tls_failed);
    if (!handshake.transport) co_return nullptr;
    co_return std::make_shared<net::Channel>(std::move(handshake.transport), state_->blocks, state_->deadlines);
}

Task<void> Worker::serve(net::TcpSocket socket, std::string address, config::Address from) {
    auto channel = co_await secure(std::move(socket), from);
    if (channel) co_await run_session(*state_, std::move(channel), std::move(address));
}

void Worker::renew_pressure(TimePoint now, Duration late) {
    WorkerState& state = *state_;
    const config::Config& config = state.snapshot->config;
    state.lag.observe(late, config.overload.loop_lag, now);
    state.pressure = std::max(
        {state.shared.memory_pressure.load(std::memory_order_relaxed),
         connection_pressure(state.shared.connections.load(std::memory_order_relaxed), config.listen.max_connections),
         state.lag.pressure(now)});
    pressure_.store(state.pressure, std::memory_order_relaxed);
    if (state.pressure >= Pressure::trim) state.blocks.trim();
    if (state.pressure < Pressure::no_keep_alive) {
        pressed_since_ = kNever;
        return;
    }
    // Who says nothing makes room first, then who has been served; nobody who has just come.
    if (pressed_since_ == kNever) pressed_since_ = now;
    const TimePoint came_a_second_ago = now + config.listen.limits.head_time - std::chrono::seconds(1);
    state.deadlines.expire_clock(kFirstRequest, came_a_second_ago);
    state.deadlines.expire_clock(kRequestHead, came_a_second_ago);
    if (now - pressed_since_ >= kSilentFirst) state.deadlines.expire_clock(kKeepAlive);
}

// One worker of them all at a time; the others' ticks find it claimed.
void Worker::exchange_purges(TimePoint now) {
    redis::Client* const client = state_->redis.get();
    cache::Purges& purges = state_->shared.purges;
    if (client == nullptr || !client->connected() || !purges.claim_exchange(now)) return;
    asio::co_spawn(io_, cache::exchange_purges(purges, *client, state_->responses.prefix()), asio::detached);
}

// A turn that ends in an exception is one turn: without the tick no deadline of this worker would end anything.
Task<void> Worker::tick() {
    TimePoint due = Clock::now();
    while (!stopping_) {
        due = std::max(due + kTick, Clock::now());
        try {
            co_await next_turn(due);
        } catch (const std::exception& failure) {
            log::error("a turn of the event loop ended in an exception", {{"error", failure.what()}});
        }
    }
}

Task<void> Worker::next_turn(TimePoint due) {
    boost::system::error_code ignored;
    timer_.expires_at(due);
    co_await timer_.async_wait(asio::redirect_error_t<UseTask>(UseTask{}, ignored));
    const TimePoint now = Clock::now();
    last_turn_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
    state_->metrics.shard().observe(counters_.loop_lag, std::max(Duration::zero(), now - due));
    state_->deadlines.tick(now);
    renew_pressure(now, now - due);
    if (now >= silent_until_) state_->deadlines.expire_clock(kFirstRequest);
    state_->date_line = date_line(WallClock::now());
    state_->flush_log();
    const unsigned connections = state_->shared.connections.load(std::memory_order_relaxed);
    if (connections > state_->shared.descriptors.crowded) state_->pool.close_all();
    state_->publish_connections();
    exchange_purges(now);
    counters_.publish(state_->metrics.shard(), state_->responses.stats(),
                      state_->redis ? &state_->redis->stats() : nullptr);
    if (now >= end_at_ || (end_at_ != kNever && drained())) end_everything();
}

} // namespace tollgate::exchange
