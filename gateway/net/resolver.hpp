// Names to addresses off the workers: two threads, a cache with a fixed life, every waiter answered on its own thread.
#pragma once

#include "gateway/base/task.hpp"
#include "gateway/base/time.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/thread_pool.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace tollgate::net {

using Addresses = std::vector<asio::ip::address>;

// Thread-safe. Answers live 30 s, failures 1 s. A name is looked up once for all who ask;
// at most 64 names at a time, further ones fail.
class Resolver {
  public:
    Resolver();
    ~Resolver();

    // Waits for look-ups that still run. Afterwards nothing is posted to any io_context any more, so they may go.
    void join();

    // Empty on failure or after `deadline`. Literal addresses answer without a look-up. Resumes on the caller's thread.
    Task<std::shared_ptr<const Addresses>> resolve(std::string host, TimePoint deadline);

  private:
    struct Cached {
        std::shared_ptr<const Addresses> addresses;
        TimePoint until;
    };
    struct Waiter;
    void look_up(const std::string& host);

    std::mutex mutex_;
    std::map<std::string, Cached> cache_;
    std::map<std::string, std::vector<std::shared_ptr<Waiter>>> pending_; // names being looked up, once each
    asio::thread_pool threads_;
};

} // namespace tollgate::net
