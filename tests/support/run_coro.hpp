// Runs coroutines to their end inside a test. A coroutine that is still suspended when nothing is left to happen, or
// when the limit has passed, fails the test instead of hanging it.
#pragma once

#include "gateway/base/task.hpp"

#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

namespace tollgate::test {

inline constexpr auto kCoroLimit = std::chrono::seconds(20);

// A coroutine on its way; the result is there once done().
template <class T>
class Running {
  public:
    Running(asio::io_context& io, Task<T> task) : io_(io), state_(std::make_shared<State>()) {
        asio::co_spawn(io, std::move(task), [state = state_](std::exception_ptr thrown, T value) {
            state->thrown = thrown;
            if (!thrown) state->value.emplace(std::move(value));
            state->done = true;
        });
    }

    [[nodiscard]] bool done() const noexcept { return state_->done; }

    // Lets the loop run until the coroutine ended. Throws, which fails the test, if it does not or if it threw.
    T get() {
        const auto deadline = std::chrono::steady_clock::now() + kCoroLimit;
        io_.restart();
        while (!state_->done && std::chrono::steady_clock::now() < deadline)
            if (io_.run_one_until(deadline) == 0) break;
        if (!state_->done) throw std::runtime_error("the coroutine did not finish");
        if (state_->thrown) std::rethrow_exception(state_->thrown);
        return std::move(*state_->value);
    }

  private:
    struct State {
        bool done = false;
        std::exception_ptr thrown;
        std::optional<T> value;
    };
    asio::io_context& io_;
    std::shared_ptr<State> state_;
};

template <class T>
Running<T> start_coro(asio::io_context& io, Task<T> task) {
    return Running<T>(io, std::move(task));
}

template <class T>
T run_coro(asio::io_context& io, Task<T> task) {
    return Running<T>(io, std::move(task)).get();
}

// Everything that can happen without waiting happens.
inline void settle(asio::io_context& io) {
    io.restart();
    while (io.poll() > 0) {
    }
}

// Runs the loop until the condition holds; fails the test if it does not within the limit.
inline void run_until(asio::io_context& io, const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + kCoroLimit;
    io.restart();
    while (!condition() && std::chrono::steady_clock::now() < deadline)
        if (io.run_one_until(deadline) == 0) break;
    ASSERT_TRUE(condition()) << "the condition did not come true";
}

} // namespace tollgate::test
