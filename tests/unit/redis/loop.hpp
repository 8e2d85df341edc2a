// Runs coroutines of a test on an io_context, with a deadline instead of a hang.
#pragma once

#include "gateway/base/task.hpp"
#include "gateway/base/time.hpp"

#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

#include <exception>
#include <optional>
#include <utility>

namespace tollgate::test {

inline constexpr std::chrono::seconds kPatience{20};

// Runs handlers until the condition holds; false, and a failed test, after kPatience.
template <class Condition>
bool run_until(asio::io_context& io, Condition condition) {
    const TimePoint end = Clock::now() + kPatience;
    while (!condition()) {
        if (Clock::now() >= end) {
            ADD_FAILURE() << "the condition did not come true";
            return false;
        }
        io.restart();
        io.run_one_for(std::chrono::milliseconds(20));
    }
    return true;
}

// The result of a task that was started; filled in while the io_context runs.
template <class T>
class Started {
  public:
    Started(asio::io_context& io, Task<T> task) : result_(std::make_shared<std::optional<T>>()) {
        asio::co_spawn(io, std::move(task), [result = result_](std::exception_ptr error, T value) {
            if (error) std::rethrow_exception(error);
            result->emplace(std::move(value));
        });
    }
    [[nodiscard]] bool done() const { return result_->has_value(); }
    [[nodiscard]] T& value() { return result_->value(); }

  private:
    std::shared_ptr<std::optional<T>> result_;
};

template <class T>
T run(asio::io_context& io, Task<T> task) {
    Started<T> started(io, std::move(task));
    if (!run_until(io, [&] { return started.done(); })) return T{};
    return std::move(started.value());
}

} // namespace tollgate::test
