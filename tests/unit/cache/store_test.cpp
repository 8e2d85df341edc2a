#include "cache/store.hpp"

#include "cache/seal.hpp"
#include "tests/unit/redis/fake_server.hpp"
#include "tests/unit/redis/loop.hpp"
#include "tests/unit/redis/redis_process.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace tollgate::cache {
namespace {

using namespace std::chrono_literals;
using test::run;
using test::run_until;

const crypto::Digest kSealKey = crypto::sha256("seal");
const Key kKey = crypto::sha256("key");
const WallTime kNow = WallTime(1'700'000'000s);
constexpr std::uint64_t kMaxEntry = 1 << 20;

EntryPtr entry(std::string body, WallTime created = kNow, std::chrono::seconds ttl = 3600s) {
    auto out = std::make_shared<Entry>();
    out->content_type = "application/json";
    out->body = std::move(body);
    out->created = created;
    out->expires = created + ttl;
    out->model = "m";
    out->upstream = "openai";
    return out;
}

config::Redis options(std::uint16_t port, std::chrono::milliseconds timeout) {
    config::Redis out;
    out.host = "127.0.0.1";
    out.port = port;
    out.timeout = timeout;
    return out;
}

// Two processes with one Redis: what one stores, the other finds.
class Store : public testing::Test {
  protected:
    Store() {
        client.start();
        run_until(io, [this] { return client.connected(); });
    }
    Found get(ResponseStore& store, WallTime now = kNow) { return run(io, store.get(kKey, now)); }
    void put_and_wait(const EntryPtr& what) {
        mine.put(kKey, what, kNow);
        run_until(io, [this] { return client.stats().ok > 0; });
    }

    asio::io_context io{1};
    test::FakeServer server{io};
    redis::Client client{io, options(server.port(), 5s)};
    MemoryCache my_memory{8 << 20};
    MemoryCache their_memory{8 << 20};
    ResponseStore mine{my_memory, &client, kSealKey, "tg:", kMaxEntry};
    ResponseStore theirs{their_memory, &client, kSealKey, "tg:", kMaxEntry};
};

TEST_F(Store, A_memory_hit_needs_no_redis) {
    const EntryPtr stored = entry("body");
    EXPECT_EQ(mine.get_memory(kKey, kNow), nullptr);
    mine.put(kKey, stored, kNow);
    EXPECT_EQ(mine.get_memory(kKey, kNow), stored) << "memory must have it before put() returns";
    const Found found = get(mine);
    EXPECT_EQ(found.entry, stored);
    EXPECT_EQ(found.tier, Tier::memory);
    EXPECT_EQ(mine.stats().memory_hits, 2U);
    EXPECT_EQ(mine.stats().misses, 0U);
}

TEST_F(Store, Writes_redis_with_prefix_and_ttl) {
    put_and_wait(entry("body"));
    ASSERT_EQ(server.commands.size(), 1U);
    const auto& command = server.commands.front();
    ASSERT_EQ(command.size(), 5U);
    EXPECT_EQ(command[0], "SET");
    EXPECT_EQ(command[1], "tg:c:{" + crypto::to_hex(kKey) + "}");
    EXPECT_EQ(command[2].find("body"), std::string::npos) << "not sealed";
    EXPECT_EQ(command[3], "PX");
    EXPECT_EQ(command[4], "3600000");
}

TEST_F(Store, A_stale_entry_gives_way_to_a_newer_one_of_redis) {
    auto old = std::make_shared<Entry>(*entry("old", kNow - 2h));
    old->stale = 3h;
    theirs.put(kKey, old, kNow);
    EXPECT_EQ(get(theirs, kNow).entry->body, "old") << "of two stale copies mine will do";
    EXPECT_EQ(theirs.stats().memory_hits, 0U);
    put_and_wait(entry("new"));
    EXPECT_EQ(get(theirs, kNow).entry->body, "new");
    EXPECT_EQ(theirs.get_memory(kKey, kNow)->body, "new");
}

TEST_F(Store, A_stale_entry_counts_as_stale_and_stays_in_redis_as_long) {
    auto old = std::make_shared<Entry>(*entry("old", kNow - 2h));
    old->stale = 3h;
    put_and_wait(old);
    EXPECT_EQ(server.commands.back()[4], "7200000") << "one hour of TTL and three of staleness, two hours ago";
    const Found found = get(theirs, kNow);
    ASSERT_NE(found.entry, nullptr);
    EXPECT_EQ(found.entry->stale, 3h);
    EXPECT_EQ(get(theirs, kNow).entry, found.entry);
    EXPECT_EQ(theirs.stats().stale, 1U);
}

TEST_F(Store, Many_keys_are_one_question) {
    put_and_wait(entry("one"));
    Key other = kKey;
    other[5] ^= 1;
    const std::size_t before = server.commands.size();
    const auto found = run(io, theirs.get_redis({other, kKey, other}, kNow));
    EXPECT_EQ(server.commands.size(), before + 1);
    ASSERT_EQ(found.size(), 3U);
    EXPECT_EQ(found[0], nullptr);
    ASSERT_NE(found[1], nullptr);
    EXPECT_EQ(found[1]->body, "one");
    EXPECT_EQ(theirs.stats().redis_hits, 1U);
    EXPECT_EQ(theirs.stats().misses, 2U);
    EXPECT_NE(theirs.get_memory(kKey, kNow), nullptr);
}

TEST_F(Store, A_redis_hit_goes_into_memory_with_its_own_times) {
    const EntryPtr stored = entry("body", kNow - 600s);
    put_and_wait(stored);
    const Found found = get(theirs, kNow + 5s);
    ASSERT_NE(found.entry, nullptr);
    EXPECT_EQ(found.tier, Tier::redis);
    EXPECT_EQ(found.entry->body, "body");
    EXPECT_EQ(found.entry->created, stored->created);
    EXPECT_EQ(found.entry->expires, stored->expires);
    EXPECT_EQ(theirs.get_memory(kKey, stored->expires - 1s), found.entry);
    EXPECT_EQ(theirs.get_memory(kKey, stored->expires), nullptr) << "backfill started the TTL again";
    EXPECT_EQ(theirs.stats().redis_hits, 1U);
}

TEST_F(Store, A_value_redis_kept_too_long_is_a_miss) {
    put_and_wait(entry("body", kNow, 10s));
    const Found found = get(theirs, kNow + 10s);
    EXPECT_EQ(found.entry, nullptr);
    EXPECT_FALSE(found.redis_error);
    EXPECT_EQ(theirs.stats().corrupt, 0U);
    EXPECT_EQ(theirs.stats().misses, 1U);
}

TEST_F(Store, An_unknown_key_is_a_miss_without_an_error) {
    const Found found = get(mine);
    EXPECT_EQ(found.entry, nullptr);
    EXPECT_EQ(found.tier, Tier::none);
    EXPECT_FALSE(found.redis_error);
    EXPECT_EQ(mine.stats().misses, 1U);
}

TEST_F(Store, Corrupt_and_foreign_values_are_counted_misses) {
    const std::string name = "tg:c:{" + crypto::to_hex(kKey) + "}";
    const std::string good = seal_entry(kSealKey, kKey, *entry("body"));
    std::string flipped = good;
    flipped[flipped.size() / 2] ^= 1;
    const Key other = crypto::sha256("other");
    std::uint64_t corrupt = 0;
    for (const std::string& value :
         {std::string(), std::string("junk"), flipped, good.substr(1), seal_entry(kSealKey, other, *entry("theirs")),
          seal_entry(crypto::sha256("another secret"), kKey, *entry("body")),
          seal_entry(kSealKey, kKey, *entry(std::string(kMaxEntry + 5'000, 'x')))}) {
        server.data[name] = value;
        const Found found = get(theirs);
        EXPECT_EQ(found.entry, nullptr);
        EXPECT_FALSE(found.redis_error);
        EXPECT_EQ(theirs.stats().corrupt, ++corrupt);
    }
    server.data[name] = good;
    EXPECT_EQ(get(theirs).tier, Tier::redis);
}

TEST_F(Store, Error_replies_and_other_types_are_redis_errors) {
    std::uint64_t errors = 0;
    for (const std::string_view reply : {"-NOAUTH no\r\n", ":1\r\n", "*1\r\n:1\r\n", "+OK\r\n"}) {
        server.answer = [reply](const test::FakeServer::Arguments&) { return std::string(reply); };
        const Found found = get(mine);
        EXPECT_EQ(found.entry, nullptr);
        EXPECT_TRUE(found.redis_error) << reply;
        EXPECT_EQ(mine.stats().redis_errors, ++errors);
    }
}

TEST_F(Store, Redis_gone_is_a_miss_with_an_error_and_memory_still_works) {
    client.stop();
    EXPECT_TRUE(get(mine).redis_error);
    const EntryPtr stored = entry("body");
    mine.put(kKey, stored, kNow);
    EXPECT_EQ(get(mine).entry, stored);
    EXPECT_TRUE(server.commands.empty());
}

TEST_F(Store, A_late_redis_is_an_error_within_the_timeout) {
    redis::Client hasty(io, options(server.port(), 30ms));
    hasty.start();
    run_until(io, [&] { return hasty.connected(); });
    server.answer = [](const test::FakeServer::Arguments&) { return std::string(); };
    ResponseStore store(my_memory, &hasty, kSealKey, "tg:", kMaxEntry);
    const TimePoint begin = Clock::now();
    EXPECT_TRUE(get(store).redis_error);
    EXPECT_LE(Clock::now() - begin, 300ms);
}

TEST_F(Store, What_is_too_large_or_expired_is_not_stored) {
    mine.put(kKey, entry(std::string(kMaxEntry + 1, 'x')), kNow);
    EXPECT_EQ(mine.stats().too_large, 1U);
    mine.put(kKey, entry("old", kNow - 7200s), kNow);
    mine.put(kKey, nullptr, kNow);
    EXPECT_EQ(mine.get_memory(kKey, kNow), nullptr);
    put_and_wait(entry(std::string(kMaxEntry, 'x')));
    EXPECT_EQ(server.commands.size(), 1U);
    EXPECT_EQ(get(theirs).tier, Tier::redis) << "an entry of exactly the limit";
}

TEST(StoreWithoutRedis, Works_with_memory_alone) {
    asio::io_context io{1};
    MemoryCache memory(8 << 20);
    ResponseStore store(memory, nullptr, kSealKey, "tg:", kMaxEntry);
    EXPECT_FALSE(run(io, store.get(kKey, kNow)).redis_error);
    store.put(kKey, entry("body"), kNow);
    EXPECT_EQ(run(io, store.get(kKey, kNow)).tier, Tier::memory);
}

TEST(StoreWithRealRedis, What_one_process_stores_another_finds) {
    ASSERT_TRUE(test::RedisProcess::available()) << "deploy/install-deps test installs redis-server";
    test::RedisProcess process;
    asio::io_context io{1};
    redis::Client client(io, options(process.port(), 5s));
    client.start();
    run_until(io, [&] { return client.connected(); });
    MemoryCache one(8 << 20);
    MemoryCache two(8 << 20);
    ResponseStore mine(one, &client, kSealKey, "tg:", kMaxEntry);
    ResponseStore theirs(two, &client, kSealKey, "tg:", kMaxEntry);
    const std::string body = R"({"choices":[]})" + std::string(10'000, ' ');
    mine.put(kKey, entry(body), kNow);
    const Found found = run(io, theirs.get(kKey, kNow));
    ASSERT_NE(found.entry, nullptr);
    EXPECT_EQ(found.entry->body, body);
    EXPECT_EQ(found.tier, Tier::redis);
    std::string command;
    redis::append_command(command, {"PTTL", "tg:c:{" + crypto::to_hex(kKey) + "}"});
    const auto left = run(io, client.command(std::move(command)));
    ASSERT_TRUE(left);
    EXPECT_GT(left->integer, 3'500'000);
    EXPECT_LE(left->integer, 3'600'000);
}

} // namespace
} // namespace tollgate::cache
