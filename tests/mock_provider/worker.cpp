#include "tests/mock_provider/worker.hpp"

#include "tests/mock_provider/clock.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace tollgate::mock {
namespace {

constexpr std::uint64_t pack(int fd, std::uint32_t generation) {
    return (std::uint64_t{generation} << 32) | static_cast<std::uint32_t>(fd);
}

void watch(int epoll, int operation, int fd, std::uint32_t events, std::uint32_t generation) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = pack(fd, generation);
    epoll_ctl(epoll, operation, fd, &event);
}

} // namespace

Worker::Worker(int listener, ssl_ctx_st* tls, State& state, Router& router)
    : listener_(listener), tls_(tls), state_(state), router_(router), epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    watch(epoll_, EPOLL_CTL_ADD, listener_, EPOLLIN, 0);
    watch(epoll_, EPOLL_CTL_ADD, wake_, EPOLLIN, 0);
    state_.add_wake_fd(wake_);
}

Worker::~Worker() {
    slots_.clear();
    close(listener_);
    close(epoll_);
    close(wake_);
}

void Worker::stop() {
    stopping_ = true;
    eventfd_write(wake_, 1);
}

int Worker::wait(epoll_event* events, int capacity) {
    if (timers_.empty()) return epoll_wait(epoll_, events, capacity, -1);
    // Nanoseconds: paced events are a clock that latencies are measured with.
    const auto left = std::max<std::int64_t>(0, timers_.top().at - now_ns());
    const timespec timeout{.tv_sec = left / 1'000'000'000, .tv_nsec = left % 1'000'000'000};
    const int count = epoll_pwait2(epoll_, events, capacity, &timeout, nullptr);
    if (count >= 0 || errno != ENOSYS) return count;
    return epoll_wait(epoll_, events, capacity, static_cast<int>((left + kNsPerMs - 1) / kNsPerMs));
}

void Worker::run() {
    prctl(PR_SET_TIMERSLACK, 1UL);
    std::array<epoll_event, 256> events{};
    while (!stopping_) {
        const int count = wait(events.data(), static_cast<int>(events.size()));
        for (int i = 0; i < count; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            const int fd = static_cast<int>(event.data.u64 & 0xFFFF'FFFFU);
            if (fd == listener_) {
                accept_all();
            } else if (fd == wake_) {
                on_wake();
            } else {
                const auto& slot = slots_[static_cast<std::size_t>(fd)];
                if (slot.connection && slot.generation == event.data.u64 >> 32) {
                    update(fd, slot.connection->on_events(event.events));
                }
            }
        }
        fire_timers();
    }
}

void Worker::accept_all() {
    while (true) {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        const int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        const auto index = static_cast<std::size_t>(fd);
        if (slots_.size() <= index) slots_.resize(index + 64);
        auto& slot = slots_[index];
        slot.connection = std::make_unique<Connection>(fd, tls_, Services{state_, router_, prepared_});
        slot.generation = next_generation_++;
        slot.interest = slot.connection->interest();
        slot.timer = 0;
        watch(epoll_, EPOLL_CTL_ADD, fd, slot.interest, slot.generation);
    }
}

void Worker::update(int fd, bool alive) {
    auto& slot = slots_[static_cast<std::size_t>(fd)];
    if (!alive) {
        slot.connection.reset();
        return;
    }
    if (const auto interest = slot.connection->interest(); interest != slot.interest) {
        slot.interest = interest;
        watch(epoll_, EPOLL_CTL_MOD, fd, interest, slot.generation);
    }
    if (const auto timer = slot.connection->timer(); timer != slot.timer) {
        slot.timer = timer;
        if (timer != 0) timers_.push({timer, fd, slot.generation});
    }
}

void Worker::fire_timers() {
    if (timers_.empty()) return;
    const auto now = now_ns();
    while (!timers_.empty() && timers_.top().at <= now) {
        const auto timer = timers_.top();
        timers_.pop();
        auto& slot = slots_[static_cast<std::size_t>(timer.fd)];
        // A timer that was set anew has its own entry.
        if (!slot.connection || slot.generation != timer.generation || slot.timer != timer.at) continue;
        slot.timer = 0;
        update(timer.fd, slot.connection->on_timer());
    }
}

void Worker::on_wake() {
    eventfd_t value = 0;
    eventfd_read(wake_, &value);
    for (std::size_t fd = 0; fd < slots_.size(); ++fd) {
        auto& slot = slots_[fd];
        if (slot.connection && slot.connection->waiting()) {
            update(static_cast<int>(fd), slot.connection->check_wait());
        }
    }
}

} // namespace tollgate::mock
