#include "gateway/net/resolver.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <utility>

namespace tollgate::net {
namespace {

constexpr std::size_t kMaxPending = 64;
constexpr std::size_t kThreads = 4; // a name server that is silent holds one for as long as the system's patience lasts
// How long those who could fall back on an old answer wait for a new one (RFC 8767 §5: below two seconds).
constexpr auto kStalePatience = std::chrono::seconds(1);

Addresses ask_system(const std::string& host) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* list = nullptr;
    Addresses out;
    if (getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0) return out;
    for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
        if (entry->ai_family == AF_INET) {
            sockaddr_in address{};
            std::copy_n(reinterpret_cast<const char*>(entry->ai_addr), sizeof address,
                        reinterpret_cast<char*>(&address));
            out.emplace_back(asio::ip::address_v4(ntohl(address.sin_addr.s_addr)));
        } else if (entry->ai_family == AF_INET6) {
            sockaddr_in6 address{};
            std::copy_n(reinterpret_cast<const char*>(entry->ai_addr), sizeof address,
                        reinterpret_cast<char*>(&address));
            asio::ip::address_v6::bytes_type bytes{};
            std::copy_n(address.sin6_addr.s6_addr, bytes.size(), bytes.begin());
            out.emplace_back(asio::ip::address_v6(bytes, address.sin6_scope_id));
        }
    }
    freeaddrinfo(list);
    return out;
}

} // namespace

// Shared between the waiting coroutine and the answering thread: whichever side goes first, the other finds it intact.
struct Resolver::Waiter final : Abortable {
    explicit Waiter(asio::io_context& io) : timer(io) {}
    void abort() noexcept override { timer.cancel(); }

    asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer;
    AddressesPtr answer;
};

Resolver::Resolver() : Resolver(ask_system) {}

Resolver::Resolver(LookUp look_up, Now now) : look_up_(std::move(look_up)), now_(std::move(now)), threads_(kThreads) {}

Resolver::~Resolver() {
    (void)stop(Duration::zero());
    threads_.join();
}

bool Resolver::stop(Duration patience) {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    pending_.clear();
    return ended_.wait_for(lock, patience, [this] { return running_ == 0; });
}

// On a resolver thread: asks once, answers everybody who asked meanwhile, each on the thread it waits on.
void Resolver::look_up(const std::string& host) {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        ++running_;
    }
    Addresses found = look_up_(host);
    // Held while answers are posted: who calls stop() destroys the contexts afterwards.
    const std::lock_guard lock(mutex_);
    --running_;
    ended_.notify_all();
    if (stopping_) return;
    const AddressesPtr answer = cache_.learn(host, std::move(found), now_());
    const auto asked = pending_.extract(host);
    for (auto& entry : asked.mapped().waiters) {
        const Executor executor = entry->timer.get_executor();
        // Moved, so that the last owner, and with it the timer, goes on the thread of the timer.
        asio::post(executor, [waiter = std::move(entry), answer] {
            waiter->answer = answer;
            waiter->timer.cancel();
        });
    }
}

// With the lock held. False: too many names are being looked up.
bool Resolver::ask(const std::string& host, const std::shared_ptr<Waiter>& waiter) {
    if (stopping_) return false;
    auto asked = pending_.find(host);
    if (asked == pending_.end()) {
        if (pending_.size() >= kMaxPending) return false;
        asked = pending_.emplace(host, Pending{now_(), {}}).first;
        asio::post(threads_, [this, host] { look_up(host); });
    }
    if (waiter) asked->second.waiters.push_back(waiter);
    return true;
}

// With the lock held: others have been waiting for this name for as long as anybody does who has an old answer.
bool Resolver::overdue(const std::string& host) const {
    const auto asked = pending_.find(host);
    return asked != pending_.end() && now_() >= asked->second.since + kStalePatience;
}

Task<AddressesPtr> Resolver::resolve(std::string host, TimePoint deadline, Abortable** slot) {
    boost::system::error_code error;
    const auto literal = asio::ip::make_address(host, error);
    if (!error) co_return std::make_shared<const Addresses>(Addresses{literal});
    auto& io = static_cast<asio::io_context&>((co_await asio::this_coro::executor).context());
    const auto waiter = std::make_shared<Waiter>(io);
    NameCache::Found known;
    {
        const std::lock_guard lock(mutex_);
        known = cache_.find(host, now_());
        if (known.need == NameCache::Need::nothing) co_return known.addresses;
        if (known.need == NameCache::Need::refresh) {
            ask(host, nullptr);
            co_return known.addresses;
        }
        const bool fallback = !known.addresses->empty();
        if (fallback && overdue(host)) co_return known.addresses;
        waiter->timer.expires_at(fallback ? std::min(deadline, Clock::now() + kStalePatience) : deadline);
        if (!ask(host, waiter)) co_return known.addresses;
    }
    if (slot != nullptr) *slot = waiter.get();
    co_await waiter->timer.async_wait(asio::redirect_error_t<UseTask>(UseTask{}, error));
    if (slot != nullptr) *slot = nullptr;
    co_return waiter->answer ? waiter->answer : known.addresses;
}

} // namespace tollgate::net
