// Names to addresses off the workers: a few threads, a cache, every waiter answered on its own thread.
#pragma once

#include "gateway/base/task.hpp"
#include "gateway/base/time.hpp"
#include "gateway/net/name_cache.hpp"
#include "gateway/net/transport.hpp"

#include <boost/asio/thread_pool.hpp>

#include <condition_variable>
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

    // The end: look-ups that have not begun never do, and who still waits is not answered. Afterwards nothing is posted
    // to any io_context any more, so they may go. False: after `patience` a look-up still runs. The system offers no
    // way to interrupt one, and the destructor waits for it.
    [[nodiscard]] bool stop(Duration patience);

    // Empty on failure or after `deadline`. Literal addresses answer without a look-up. Resumes on the caller's thread.
    // `slot` points at what to abort while it waits and is null otherwise; aborted, it ends with what is known.
    Task<AddressesPtr> resolve(std::string host, TimePoint deadline, Abortable** slot = nullptr);

  private:
    struct Waiter;
    struct Pending {
        TimePoint since;
        std::vector<std::shared_ptr<Waiter>> waiters;
    };
    void look_up(const std::string& host);
    [[nodiscard]] bool overdue(const std::string& host) const;
    bool ask(const std::string& host, const std::shared_ptr<Waiter>& waiter);

    const LookUp look_up_;
    const Now now_;
    mutable std::mutex mutex_;
    NameCache cache_;
    std::map<std::string, Pending> pending_; // names being looked up, once each
    unsigned running_ = 0;                   // look-ups in the system's hands
    bool stopping_ = false;
    std::condition_variable ended_; // of a look-up
    asio::thread_pool threads_;
};

} // namespace tollgate::net
