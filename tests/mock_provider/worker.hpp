#pragma once

#include "tests/mock_provider/connection.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <queue>
#include <vector>

struct epoll_event;

namespace tollgate::mock {

/// One thread: a listening socket and the connections it accepted.
class Worker {
  public:
    /// Takes the non-blocking listening socket over.
    Worker(int listener, ssl_ctx_st* tls, State& state, Router& router);
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    ~Worker();

    void run();
    /// From any thread.
    void stop();

  private:
    struct Slot {
        std::unique_ptr<Connection> connection;
        std::uint32_t generation = 0; // tells a new connection from the one that had its descriptor before
        std::uint32_t interest = 0;
        std::int64_t timer = 0;
    };
    struct Timer {
        std::int64_t at;
        int fd;
        std::uint32_t generation;
        bool operator>(const Timer& other) const { return at > other.at; }
    };

    void accept_all();
    void update(int fd, bool alive);
    void fire_timers();
    void on_wake();
    int wait(epoll_event* events, int capacity);

    int listener_;
    ssl_ctx_st* tls_;
    State& state_;
    Router& router_;
    PreparedAnswers prepared_;
    int epoll_;
    int wake_;
    std::atomic<bool> stopping_{false};
    std::uint32_t next_generation_ = 1;
    std::vector<Slot> slots_; // by descriptor
    std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
};

} // namespace tollgate::mock
