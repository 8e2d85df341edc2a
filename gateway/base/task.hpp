// The coroutine vocabulary of the project: a concrete executor everywhere (no any_io_executor on the hot path), and
// one-shot wake-ups without a timer.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <optional>
#include <utility>

namespace tollgate {

namespace asio = boost::asio;
using Executor = asio::io_context::executor_type;

template <class T>
using Task = asio::awaitable<T, Executor>;
using UseTask = asio::use_awaitable_t<Executor>;

// One coroutine waits, one event wakes it. Same thread only. notify() without a waiter does nothing, so the waiter
// checks its condition before wait(). The wake-up resumes the coroutine inside notify(): callers treat it as a call
// into unknown code and touch nothing of their own afterwards.
class Wakeup {
  public:
    [[nodiscard]] bool waiting() const noexcept { return handler_.has_value(); }

    Task<void> wait() {
        UseTask token;
        return asio::async_initiate<UseTask, void()>([this](auto handler) { handler_.emplace(std::move(handler)); },
                                                     token);
    }

    void notify() {
        if (!handler_) return;
        Handler handler = std::move(*handler_);
        handler_.reset();
        std::move(handler)();
    }

  private:
    using Handler = asio::async_result<UseTask, void()>::handler_type;
    std::optional<Handler> handler_;
};

} // namespace tollgate
