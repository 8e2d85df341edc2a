// The embedded store from a worker's point of view: SQLite runs on its own thread, coroutines wait for the answer.
#pragma once

#include "gateway/base/task.hpp"
#include "policy/store.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>

#include <memory>
#include <optional>

namespace tollgate::exchange {

class ObjectStore {
  public:
    explicit ObjectStore(policy::Store& store) : store_(store), thread_(1) {}
    ~ObjectStore() { thread_.join(); }

    // Runs `work(Store&)` on the store's thread and returns its result on the caller's. SQLite's own busy timeout
    // bounds the wait. The result type must be default constructible.
    template <class Work>
    auto run(Work work) -> Task<decltype(work(std::declval<policy::Store&>()))> {
        using Result = decltype(work(std::declval<policy::Store&>()));
        struct Shared {
            Wakeup wakeup;
            std::optional<Result> result;
        };
        const auto shared = std::make_shared<Shared>();
        const auto executor = co_await asio::this_coro::executor;
        asio::post(thread_, [this, shared, executor, body = std::move(work)]() mutable {
            auto result = std::make_shared<Result>(body(store_));
            asio::post(executor, [shared, moved = std::move(result)] {
                shared->result.emplace(std::move(*moved));
                shared->wakeup.notify();
            });
        });
        if (!shared->result) co_await shared->wakeup.wait();
        co_return std::move(*shared->result);
    }

  private:
    policy::Store& store_;
    asio::thread_pool thread_;
};

} // namespace tollgate::exchange
