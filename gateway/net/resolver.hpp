// Names to addresses off the workers: a few threads, a cache, every waiter answered on its own thread.
#pragma once

#include "gateway/base/task.hpp"
#include "gateway/base/time.hpp"
#include "gateway/net/name_cache.hpp"

#include <boost/asio/thread_pool.hpp>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace tollgate::net {

// Thread-safe. A name is looked up once for all who ask; at most 64 names at a time, further ones fail. A name in use
// is refreshed behind its back: nobody waits for that, and a look-up that fails leaves the last good answer
// (NameCache).
class Resolver {
  public:
    // Blocks; empty on failure. Called on several threads at once.
    using LookUp = std::function<Addresses(const std::string& host)>;
    using Now = std::function<TimePoint()>;

    Resolver(); // asks the system
    explicit Resolver(LookUp look_up, Now now = Clock::now);
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    // Waits for look-ups that still run. Afterwards nothing is posted to any io_context any more, so they may go.
    void join();

    // Empty on failure or after `deadline`. Literal addresses answer without a look-up. Resumes on the caller's thread.
    Task<AddressesPtr> resolve(std::string host, TimePoint deadline);

  private:
    struct Waiter;
    void look_up(const std::string& host);
    bool ask(const std::string& host, const std::shared_ptr<Waiter>& waiter);

    const LookUp look_up_;
    const Now now_;
    std::mutex mutex_;
    NameCache cache_;
    std::map<std::string, std::vector<std::shared_ptr<Waiter>>> pending_; // names being looked up, once each
    asio::thread_pool threads_;
};

} // namespace tollgate::net
