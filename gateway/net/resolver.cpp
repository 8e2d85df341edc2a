#include "gateway/net/resolver.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <netdb.h>
#include <netinet/in.h>

namespace tollgate::net {
namespace {

constexpr auto kAnswerLife = std::chrono::seconds(30);
constexpr auto kFailureLife = std::chrono::seconds(1);
constexpr std::size_t kMaxPending = 64;
constexpr std::size_t kMaxCached = 4096;

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
struct Resolver::Waiter {
    explicit Waiter(asio::io_context& io) : timer(io) {}
    asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor> timer;
    std::shared_ptr<const Addresses> answer;
};

Resolver::Resolver() : threads_(2) {}

Resolver::~Resolver() {
    join();
}

void Resolver::join() {
    threads_.join();
}

// On a resolver thread: asks once, answers everybody who asked meanwhile, each on the thread it waits on.
void Resolver::look_up(const std::string& host) {
    const auto answer = std::make_shared<const Addresses>(ask_system(host));
    std::vector<std::shared_ptr<Waiter>> waiters;
    {
        const std::lock_guard lock(mutex_);
        if (cache_.size() >= kMaxCached) cache_.clear();
        const Duration life = answer->empty() ? Duration(kFailureLife) : Duration(kAnswerLife);
        cache_[host] = Cached{answer, Clock::now() + life};
        waiters = std::move(pending_[host]);
        pending_.erase(host);
    }
    for (auto& entry : waiters) {
        const Executor executor = entry->timer.get_executor();
        // Moved, so that the last owner, and with it the timer, goes on the thread of the timer.
        asio::post(executor, [waiter = std::move(entry), answer] {
            waiter->answer = answer;
            waiter->timer.cancel();
        });
    }
}

Task<std::shared_ptr<const Addresses>> Resolver::resolve(std::string host, TimePoint deadline) {
    boost::system::error_code error;
    const auto literal = asio::ip::make_address(host, error);
    if (!error) co_return std::make_shared<const Addresses>(Addresses{literal});
    auto& io = static_cast<asio::io_context&>((co_await asio::this_coro::executor).context());
    const auto waiter = std::make_shared<Waiter>(io);
    waiter->timer.expires_at(deadline);
    {
        const std::lock_guard lock(mutex_);
        const auto found = cache_.find(host);
        if (found != cache_.end() && found->second.until > Clock::now()) co_return found->second.addresses;
        const auto asked = pending_.find(host);
        if (asked != pending_.end()) {
            asked->second.push_back(waiter);
        } else {
            if (pending_.size() >= kMaxPending) co_return std::make_shared<const Addresses>();
            pending_[host].push_back(waiter);
            asio::post(threads_, [this, host] { look_up(host); });
        }
    }
    co_await waiter->timer.async_wait(asio::redirect_error_t<UseTask>(UseTask{}, error));
    co_return waiter->answer ? waiter->answer : std::make_shared<const Addresses>();
}

} // namespace tollgate::net
