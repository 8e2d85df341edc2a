// Work that blocks, on a thread of its own, while a coroutine waits for it.
#pragma once

#include "gateway/base/task.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>

#include <memory>
#include <optional>
#include <utility>

namespace tollgate::exchange {

// Runs `work()` in `pool` and returns its result on the caller's thread. The result type must be default constructible.
// What `work` refers to outlives the pool.
template <class Work>
auto run_on(asio::thread_pool& pool, Work work) -> Task<decltype(work())> {
    using Result = decltype(work());
    struct Shared {
        Wakeup wakeup;
        std::optional<Result> result;
    };
    const auto shared = std::make_shared<Shared>();
    const auto executor = co_await asio::this_coro::executor;
    asio::post(pool, [shared, executor, body = std::move(work)]() mutable {
        auto result = std::make_shared<Result>(body());
        asio::post(executor, [shared, moved = std::move(result)] {
            shared->result.emplace(std::move(*moved));
            shared->wakeup.notify();
        });
    });
    if (!shared->result) co_await shared->wakeup.wait();
    co_return std::move(*shared->result);
}

} // namespace tollgate::exchange
