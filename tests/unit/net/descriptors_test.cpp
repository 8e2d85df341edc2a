#include "gateway/net/descriptors.hpp"

#include "gateway/net/dial.hpp"
#include "gateway/net/listener.hpp"
#include "tests/support/run_coro.hpp"
#include "tests/unit/net/loopback.hpp"

#include <gtest/gtest.h>

#include <sys/resource.h>
#include <unistd.h>

#include <limits>
#include <string>
#include <vector>

namespace tollgate::net {
namespace {

using namespace std::chrono_literals;

TEST(DescriptorBudget, partsFitTheLimit) {
    for (const std::uint64_t limit : {80ULL, 100ULL, 256ULL, 1024ULL, 20'000ULL, 1ULL << 20}) {
        const DescriptorBudget budget = descriptor_budget(limit);
        EXPECT_LE(2ULL * budget.clients + kReservedDescriptors, limit) << limit;
        EXPECT_LE(2ULL * budget.crowded + budget.idle_upstream + kReservedDescriptors, limit) << limit;
        EXPECT_LE(budget.crowded, budget.clients) << limit;
    }
    EXPECT_EQ(descriptor_budget(256).clients, 96U);
    EXPECT_EQ(descriptor_budget(256).crowded, 84U);
    EXPECT_EQ(descriptor_budget(256).idle_upstream, 24U);
}

TEST(DescriptorBudget, oddLimits_leaveSomething) {
    for (const std::uint64_t limit : {0ULL, 1ULL, 64ULL, 65ULL, std::numeric_limits<unsigned long long>::max()}) {
        EXPECT_GE(descriptor_budget(limit).clients, 1U) << limit;
        EXPECT_GE(descriptor_budget(limit).idle_upstream, 1U) << limit;
        EXPECT_LE(descriptor_budget(limit).clients, 1'000'000U) << limit;
    }
}

// While it lives, no descriptor can be opened in this process.
class Exhausted {
  public:
    Exhausted() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const int next = ::dup(0);
        ::close(next);
        const rlimit none{static_cast<rlim_t>(next), before_.rlim_max};
        EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    }
    ~Exhausted() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    Exhausted(const Exhausted&) = delete;
    Exhausted& operator=(const Exhausted&) = delete;

  private:
    rlimit before_{};
};

// B19: an accept that is tried again at once burns a core.
TEST(ListenerExhausted, accept_backsOffMakesRoomAndRecovers) {
    test::Loop loop;
    const std::uint16_t port = test::SilentPort().port();
    std::vector<TcpSocket> accepted;
    Listener listener(loop.io, [&](TcpSocket socket, const std::string&) { accepted.push_back(std::move(socket)); });
    ASSERT_TRUE(listener.open("127.0.0.1", port, false));
    int asked_for_room = 0;
    listener.on_exhausted([&] { ++asked_for_room; });
    TcpSocket client(loop.io);
    ErrorCode error;
    client.connect({asio::ip::address_v4::loopback(), port}, error);
    ASSERT_FALSE(error) << "in the queue of the kernel";
    {
        const Exhausted exhausted;
        listener.start();
        const auto until = std::chrono::steady_clock::now() + 350ms;
        loop.io.restart();
        while (std::chrono::steady_clock::now() < until) loop.io.run_one_until(until);
        EXPECT_GE(asked_for_room, 1);
        EXPECT_LE(asked_for_room, 4) << "every 100 ms";
        EXPECT_TRUE(accepted.empty());
    }
    test::run_until(loop.io, [&] { return accepted.size() == 1; });
    listener.close();
    test::settle(loop.io);
}

TEST(DialExhausted, says_so) {
    test::Loop loop;
    test::LoopbackListener listener(loop);
    Dial dial(loop.io, loop.blocks, loop.deadlines, loop.resolver);
    const Target to{"127.0.0.1", listener.port(), {.private_ranges = true}, nullptr};
    const Exhausted exhausted;
    EXPECT_EQ(test::run_coro(loop.io, dial.run(to, Clock::now() + 10s)), nullptr);
    EXPECT_EQ(dial.failure(), DialFailure::descriptors);
}

} // namespace
} // namespace tollgate::net
