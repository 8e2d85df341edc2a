// The embedded store from a worker's point of view: SQLite runs on its own thread, coroutines wait for the answer.
#pragma once

#include "gateway/exchange/offload.hpp"
#include "policy/store.hpp"

#include <utility>

namespace tollgate::exchange {

class ObjectStore {
  public:
    explicit ObjectStore(policy::Store& store) : store_(store), thread_(1) {}
    ~ObjectStore() { thread_.join(); }

    // Runs `work(Store&)` on the store's thread and returns its result on the caller's. SQLite's own busy timeout
    // bounds the wait. The result type must be default constructible.
    template <class Work>
    auto run(Work work) -> Task<decltype(work(std::declval<policy::Store&>()))> {
        return run_on(thread_, [this, body = std::move(work)]() mutable { return body(store_); });
    }

  private:
    policy::Store& store_;
    asio::thread_pool thread_;
};

} // namespace tollgate::exchange
