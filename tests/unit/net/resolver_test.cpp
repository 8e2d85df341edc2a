#include "gateway/net/resolver.hpp"

#include "tests/support/run_coro.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace tollgate::net {
namespace {

using namespace std::chrono_literals;
using test::run_coro;

TimePoint soon() {
    return Clock::now() + 10s;
}

struct Fixture {
    asio::io_context io{1};
    Resolver resolver;
};

TEST(Resolver, literalAddress_needsNoLookUp) {
    Fixture f;
    for (const std::string text : {"127.0.0.1", "::1", "8.8.8.8", "2001:db8::1"}) {
        auto running = test::start_coro(f.io, f.resolver.resolve(text, soon()));
        test::settle(f.io);
        ASSERT_TRUE(running.done()) << text;
        const auto got = running.get();
        ASSERT_EQ(got->size(), 1U) << text;
        EXPECT_EQ(got->front(), asio::ip::make_address(text));
    }
}

TEST(Resolver, name_isAnsweredAndRemembered) {
    Fixture f;
    const auto first = run_coro(f.io, f.resolver.resolve("localhost", soon()));
    ASSERT_FALSE(first->empty());
    for (const auto& address : *first) EXPECT_TRUE(address.is_loopback()) << address;
    EXPECT_EQ(run_coro(f.io, f.resolver.resolve("localhost", soon())), first) << "the answer comes from the cache";
}

TEST(Resolver, nameThatCannotExist_isEmpty) {
    Fixture f;
    EXPECT_TRUE(run_coro(f.io, f.resolver.resolve(std::string(64, 'a') + ".invalid", soon()))->empty());
}

TEST(Resolver, passedDeadline_isEmptyAtOnce) {
    Fixture f;
    EXPECT_TRUE(
        run_coro(f.io, f.resolver.resolve("deadline-passed." + std::string(64, 'b'), Clock::now() - 1s))->empty());
}

// Every waiter is answered, on its own thread, while others ask from other threads; above the cap the answer is empty.
TEST(Resolver, manyThreadsAtOnce_areAllAnswered) {
    Resolver resolver;
    std::atomic<int> answered = 0;
    std::atomic<int> wrong_thread = 0;
    const auto work = [&resolver, &answered, &wrong_thread](int seed) {
        asio::io_context io(1);
        const auto ask = [&](std::string host) -> Task<bool> {
            const auto self = std::this_thread::get_id();
            const auto got = co_await resolver.resolve(std::move(host), soon());
            if (std::this_thread::get_id() != self) ++wrong_thread;
            ++answered;
            co_return !got->empty();
        };
        std::vector<test::Running<bool>> all;
        for (int i = 0; i < 50; ++i) {
            // Forms that only the system's resolver understands: no network is asked.
            const std::string host = i % 3 == 0 ? "localhost" : "127." + std::to_string(1 + (seed * 50 + i) % 200);
            all.push_back(test::start_coro(io, ask(host)));
        }
        for (auto& running : all) running.get();
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back(work, i);
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(answered, 200);
    EXPECT_EQ(wrong_thread, 0);
}

TEST(Resolver, destructionWithLookUpsRunning_waitsForThem) {
    asio::io_context io(1);
    {
        Resolver resolver;
        for (int i = 0; i < 20; ++i) {
            auto running = test::start_coro(io, resolver.resolve("127." + std::to_string(i), soon()));
            test::settle(io);
        }
    }
    test::settle(io); // what the threads posted arrives, to coroutines whose resolver is gone
    SUCCEED();
}

} // namespace
} // namespace tollgate::net
