#include "cache/redis/connection.hpp"

#include "cache/redis/backoff.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include <exception>

namespace tollgate::redis {
namespace {

constexpr std::size_t kMaxOutstanding = 4096;
constexpr std::size_t kMaxQueuedBytes = 64U << 20;
constexpr std::size_t kKeptBuffer = 1U << 20; // a larger output buffer is given back after a burst
constexpr auto kTuple = asio::as_tuple(UseTask{});

} // namespace

Connection::Connection(asio::io_context& io, const config::Redis& options, Listening listening)
    : io_(io), options_(options), listening_(std::move(listening)), socket_(io), resolver_(io), phase_timer_(io),
      reply_timer_(io), random_(std::random_device{}()) {}

void Connection::start() {
    if (started_ || stopped_) return;
    started_ = true;
    asio::co_spawn(io_, run(shared_from_this()), [](std::exception_ptr bug) {
        if (bug) std::rethrow_exception(bug);
    });
}

void Connection::stop() {
    if (stopped_) return;
    stopped_ = true;
    failure_ = Failure::down;
    resolver_.cancel();
    phase_timer_.cancel();
    disconnect();
}

Task<void> Connection::run(std::shared_ptr<Connection> self) {
    while (!self->stopped_) {
        const bool ready = co_await self->connect();
        if (ready) {
            ++self->stats_.connects;
            self->last_pause_ = Duration::zero();
            self->last_error_.clear();
            self->failure_ = Failure::down;
            self->connected_ = true;
            if (self->listening_.connected) self->listening_.connected();
            co_await self->read_replies();
        }
        if (self->stopped_) break;
        self->disconnect();
        self->phase_timer_.expires_after(self->pause());
        co_await self->phase_timer_.async_wait(kTuple);
    }
}

Duration Connection::pause() {
    const double unit = static_cast<double>(random_() - std::minstd_rand::min()) /
                        static_cast<double>(std::minstd_rand::max() - std::minstd_rand::min() + 1);
    last_pause_ = next_pause(last_pause_, unit);
    return last_pause_;
}

Task<std::expected<Reply, Failure>> Connection::command(std::shared_ptr<Connection> self, std::string encoded) {
    auto owned = std::make_unique<Waiter>();
    Waiter& waiter = *owned;
    if (!self->enqueue(encoded, std::move(owned))) co_return std::unexpected(Failure::down);
    // From here on the queue owns the waiter and, through it, this frame: a reference back would be a cycle.
    self.reset();
    co_await waiter.wake.wait();
    co_return std::move(waiter.result);
}

void Connection::post(std::string_view encoded) {
    enqueue(encoded, nullptr);
}

bool Connection::enqueue(std::string_view encoded, WaiterPtr waiter) {
    const std::size_t queued = output_.size() + writing_.size();
    const bool room =
        queue_.size() < kMaxOutstanding && encoded.size() <= kMaxQueuedBytes - std::min(queued, kMaxQueuedBytes);
    if (!connected_ || !room) {
        ++stats_.errors;
        return false;
    }
    output_ += encoded;
    if (!listening_.reply) {
        queue_.push(Clock::now() + options_.timeout, std::move(waiter));
        arm_reply_timer();
    }
    // The post runs after every handler that is ready now, so their commands leave in the same write.
    if (!flush_posted_ && !write_pending_) {
        flush_posted_ = true;
        asio::post(io_, [self = shared_from_this()] {
            self->flush_posted_ = false;
            self->flush();
        });
    }
    return true;
}

void Connection::flush() {
    if (!connected_ || write_pending_ || output_.empty()) return;
    writing_.clear();
    if (writing_.capacity() > kKeptBuffer) writing_ = std::string();
    writing_.swap(output_);
    boost::system::error_code error;
    const std::size_t written = socket_.write_some(asio::buffer(writing_), error);
    if (error && error != asio::error::would_block && error != asio::error::try_again) {
        close_socket(); // the reader notices
    } else if (written < writing_.size()) {
        write_rest(written);
    } else {
        writing_.clear();
    }
}

void Connection::write_rest(std::size_t written) {
    write_pending_ = true;
    asio::async_write(
        socket_, asio::buffer(writing_) + written,
        [self = shared_from_this(), generation = generation_](boost::system::error_code error, std::size_t) {
            if (generation != self->generation_) return;
            self->write_pending_ = false;
            self->writing_.clear();
            if (error) {
                self->close_socket();
            } else {
                self->flush();
            }
        });
}

Task<void> Connection::read_replies() {
    std::string_view bytes; // at first: what came behind the greeting
    while (deliver(bytes)) {
        const auto [error, size] = co_await socket_.async_read_some(asio::buffer(input_), kTuple);
        if (error) {
            last_error_ = "connection lost: " + error.message();
            co_return;
        }
        bytes = {input_.data(), size};
    }
}

bool Connection::deliver(std::string_view bytes) {
    const auto protocol_error = [this](std::string_view what) {
        last_error_ = "protocol error: " + std::string(what);
        failure_ = Failure::protocol;
        return false;
    };
    if (!bytes.empty()) queue_.heard(Clock::now());
    if (const auto fed = reader_->feed(bytes); !fed) return protocol_error(fed.error());
    while (connected_) {
        auto reply = reader_->next();
        if (!reply) return protocol_error(reply.error());
        if (!*reply) return true;
        if (listening_.reply) {
            listening_.reply(**reply);
            continue;
        }
        std::optional<ReplyQueue::Popped> slot = queue_.pop();
        if (!slot) return protocol_error("a reply nobody asked for");
        const bool demoted = options_.mode == config::RedisMode::sentinel && (*reply)->kind == Reply::Kind::error &&
                             (*reply)->text.starts_with("READONLY");
        if (slot->in_time) ++((*reply)->kind == Reply::Kind::error ? stats_.errors : stats_.ok);
        if (slot->waiter) {
            slot->waiter->result = std::move(**reply);
            slot->waiter->wake.notify(); // may do anything, stop() included
        }
        if (demoted) { // somebody else is the primary now
            last_error_ = "the server is a replica";
            return false;
        }
    }
    return false;
}

void Connection::arm_reply_timer() {
    const TimePoint next = queue_.next_event();
    // A timer that fires too early looks again; that is cheaper than moving it with every reply.
    if (reply_timer_at_ <= next) return;
    reply_timer_at_ = next;
    reply_timer_.expires_at(next);
    reply_timer_.async_wait([self = shared_from_this(), armed_for = next](boost::system::error_code error) {
        if (error || self->reply_timer_at_ != armed_for) return;
        self->reply_timer_at_ = kNever;
        self->on_reply_timer();
    });
}

void Connection::on_reply_timer() {
    const TimePoint now = Clock::now();
    ReplyQueue::Expired expired = queue_.expire(now);
    stats_.timeouts += expired.count;
    if (queue_.dead(now)) {
        close_socket(); // the reader notices
    } else {
        arm_reply_timer();
    }
    for (const WaiterPtr& waiter : expired.waiters) {
        waiter->result = std::unexpected(Failure::timeout);
        waiter->wake.notify();
    }
}

void Connection::disconnect() {
    ++generation_;
    connected_ = false;
    write_pending_ = false;
    close_socket();
    reply_timer_at_ = kNever;
    reply_timer_.cancel();
    output_ = std::string();
    writing_.clear();
    fail_all(failure_);
}

void Connection::close_socket() {
    boost::system::error_code ignored; // a socket that cannot be closed properly is closed all the same
    socket_.close(ignored);
}

void Connection::fail_all(Failure failure) {
    ReplyQueue::Expired all = queue_.clear();
    stats_.errors += all.count;
    if (all.waiters.empty()) return;
    // Not from here: the caller of stop() does not expect every session to run inside it.
    asio::post(io_, [waiters = std::move(all.waiters), failure] {
        for (const WaiterPtr& waiter : waiters) {
            waiter->result = std::unexpected(failure);
            waiter->wake.notify();
        }
    });
}

} // namespace tollgate::redis
