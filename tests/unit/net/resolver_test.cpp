#include "gateway/net/resolver.hpp"

#include "tests/support/run_coro.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
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

// A name server that answers what the test says, when it says so.
struct Names {
    std::mutex mutex;
    std::condition_variable changed;
    Addresses answer;
    bool held = false;
    int asked = 0;
    std::atomic<Clock::rep> now{Clock::now().time_since_epoch().count()};

    Addresses look_up(const std::string&) {
        std::unique_lock lock(mutex);
        ++asked;
        changed.notify_all();
        changed.wait(lock, [this] { return !held; });
        return answer;
    }
    void set(const char* text, bool hold = false) {
        const std::lock_guard lock(mutex);
        answer = text != nullptr ? Addresses{asio::ip::make_address(text)} : Addresses{};
        held = hold;
        changed.notify_all();
    }
    void await_asked(int times) {
        std::unique_lock lock(mutex);
        ASSERT_TRUE(changed.wait_for(lock, 20s, [&] { return asked >= times; })) << asked;
    }
    void pass(Duration time) { now += time.count(); }
    Resolver::LookUp ask() {
        return [this](const std::string& host) { return look_up(host); };
    }
    Resolver::Now clock() {
        return [this] { return TimePoint(Duration(now.load())); };
    }
};

struct NamesFixture {
    asio::io_context io{1};
    Names names;
    Resolver resolver{names.ask(), names.clock()};
    std::string resolved() {
        const auto got = run_coro(io, resolver.resolve("name", soon()));
        return got->empty() ? "" : got->front().to_string();
    }
    void until_resolved(const std::string& expected) {
        const TimePoint limit = soon();
        std::string got;
        while ((got = resolved()) != expected && Clock::now() < limit) std::this_thread::yield();
        EXPECT_EQ(got, expected);
    }
};

// Whatever a test finds, the name server answers at its end.
class SilentNames : public testing::Test {
  protected:
    ~SilentNames() override { f.names.set(nullptr); }
    std::vector<test::Running<AddressesPtr>> waiting;
    NamesFixture f;
};

TEST(ResolverInUse, refresh_holdsNobodyUp) {
    NamesFixture f;
    f.names.set("192.0.2.1");
    EXPECT_EQ(f.resolved(), "192.0.2.1");
    EXPECT_EQ(f.resolved(), "192.0.2.1");
    EXPECT_EQ(f.names.asked, 1);
    f.names.set("192.0.2.2", true); // the name server is slow
    f.names.pass(30s);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(f.resolved(), "192.0.2.1");
    f.names.await_asked(2);
    EXPECT_EQ(f.names.asked, 2) << "one look-up for all";
    f.names.set("192.0.2.2");
    f.until_resolved("192.0.2.2");
}

TEST(ResolverInUse, failure_leavesTheLastGoodAnswer) {
    NamesFixture f;
    f.names.set("192.0.2.1");
    EXPECT_EQ(f.resolved(), "192.0.2.1");
    f.names.set(nullptr);
    f.names.pass(23h);
    EXPECT_EQ(f.resolved(), "192.0.2.1") << "asked, failed, fell back";
    EXPECT_EQ(f.names.asked, 2);
    EXPECT_EQ(f.resolved(), "192.0.2.1");
    EXPECT_EQ(f.names.asked, 2) << "not again within 5 s";
    f.names.pass(1h);
    EXPECT_EQ(f.resolved(), "");
    f.names.set("192.0.2.9");
    f.names.pass(5s);
    EXPECT_EQ(f.resolved(), "192.0.2.9");
}

TEST(ResolverInUse, silentNameServer_holdsNobodyForLong) {
    NamesFixture f;
    f.names.set("192.0.2.1");
    EXPECT_EQ(f.resolved(), "192.0.2.1");
    f.names.set("192.0.2.2", true);
    f.names.pass(1h);
    EXPECT_EQ(f.resolved(), "192.0.2.1") << "the old answer, long before the deadline";
    f.names.set("192.0.2.2");
    f.until_resolved("192.0.2.2");
}

// One zone whose name servers are silent holds every thread: names that wait behind it cost one wait, not one each.
TEST_F(SilentNames, nameThatIsOverdue_isAnsweredFromBeforeAtOnce) {
    f.names.set("192.0.2.1");
    EXPECT_EQ(f.resolved(), "192.0.2.1");
    f.names.set("192.0.2.1", true);
    f.names.pass(1h);
    auto first = test::start_coro(f.io, f.resolver.resolve("name", soon()));
    test::settle(f.io);
    EXPECT_FALSE(first.done()) << "worth a second";
    f.names.pass(1s);
    auto second = test::start_coro(f.io, f.resolver.resolve("name", soon()));
    test::settle(f.io);
    ASSERT_TRUE(second.done());
    EXPECT_EQ(second.get()->front().to_string(), "192.0.2.1");
    EXPECT_EQ(first.get()->front().to_string(), "192.0.2.1");
}

TEST_F(SilentNames, abort_endsTheWaitAndNothingElse) {
    f.names.set("192.0.2.1", true);
    Abortable* slot = nullptr;
    auto leaving = test::start_coro(f.io, f.resolver.resolve("name", soon(), &slot));
    auto staying = test::start_coro(f.io, f.resolver.resolve("name", soon()));
    test::settle(f.io);
    ASSERT_NE(slot, nullptr);
    slot->abort();
    test::settle(f.io);
    ASSERT_TRUE(leaving.done());
    EXPECT_EQ(slot, nullptr);
    EXPECT_TRUE(leaving.get()->empty());
    f.names.set("192.0.2.1");
    EXPECT_EQ(staying.get()->size(), 1U);
}

TEST_F(SilentNames, stop_waitsForNoLookUpAndBeginsNone) {
    f.names.set("192.0.2.1", true);
    for (int i = 0; i < 20; ++i) {
        waiting.push_back(test::start_coro(f.io, f.resolver.resolve("name" + std::to_string(i), soon())));
        test::settle(f.io);
    }
    f.names.await_asked(4); // every thread is held
    EXPECT_FALSE(f.resolver.stop(Duration::zero()));
    auto late = test::start_coro(f.io, f.resolver.resolve("late", soon()));
    test::settle(f.io);
    EXPECT_TRUE(late.done());
    f.names.set("192.0.2.1");
    EXPECT_TRUE(f.resolver.stop(20s));
    EXPECT_EQ(f.names.asked, 4) << "those that were queued never began";
    test::settle(f.io);
    for (const auto& each : waiting) EXPECT_FALSE(each.done()) << "nothing is posted any more";
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
