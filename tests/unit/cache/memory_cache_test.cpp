#include "cache/memory_cache.hpp"

#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace tollgate::cache {
namespace {

using namespace std::chrono_literals;

const WallTime kNow = WallTime(1'700'000'000s);

// Spread like an HMAC, without the cost of one.
Key key(std::uint64_t n) {
    Key out{};
    std::mt19937_64 random(n);
    for (std::size_t i = 0; i < out.size(); i += 8) {
        const std::uint64_t word = random();
        std::memcpy(out.data() + i, &word, 8);
    }
    return out;
}

EntryPtr entry(std::size_t size, WallTime expires = kNow + 1h) {
    auto out = std::make_shared<Entry>();
    out->content_type = "application/json";
    out->body.assign(size, 'x');
    out->created = kNow;
    out->expires = expires;
    out->model = "m";
    return out;
}

TEST(MemoryCache, Returns_what_was_put_without_copying_it) {
    MemoryCache cache(8 << 20);
    const EntryPtr stored = entry(100);
    EXPECT_EQ(cache.get(key(1), kNow), nullptr);
    cache.put(key(1), stored, kNow);
    EXPECT_EQ(cache.get(key(1), kNow), stored);
    EXPECT_EQ(cache.get(key(2), kNow), nullptr);
    EXPECT_EQ(cache.stats().entries, 1U);
    EXPECT_GE(cache.stats().bytes, stored->bytes());
}

TEST(MemoryCache, Keys_that_share_their_first_octets_are_different) {
    MemoryCache cache(8 << 20);
    Key a = key(1);
    Key b = a;
    b[8] ^= 1;
    cache.put(a, entry(1), kNow);
    EXPECT_EQ(cache.get(b, kNow), nullptr);
}

TEST(MemoryCache, Put_replaces) {
    MemoryCache cache(8 << 20);
    cache.put(key(1), entry(100), kNow);
    const auto before = cache.stats().bytes;
    const EntryPtr second = entry(100);
    cache.put(key(1), second, kNow);
    EXPECT_EQ(cache.get(key(1), kNow), second);
    EXPECT_EQ(cache.stats().entries, 1U);
    EXPECT_EQ(cache.stats().bytes, before);
}

TEST(MemoryCache, An_entry_ends_at_its_expiry) {
    MemoryCache cache(8 << 20);
    cache.put(key(1), entry(100, kNow + 10s), kNow);
    EXPECT_NE(cache.get(key(1), kNow + 9'999ms), nullptr);
    EXPECT_EQ(cache.get(key(1), kNow + 10s), nullptr);
    EXPECT_EQ(cache.stats().entries, 0U);
    EXPECT_EQ(cache.stats().bytes, 0U);
    EXPECT_EQ(cache.stats().evicted_ttl, 1U);
    cache.put(key(2), entry(100, kNow), kNow);
    EXPECT_EQ(cache.stats().entries, 0U) << "stored although expired";
    cache.put(key(3), nullptr, kNow);
    EXPECT_EQ(cache.get(key(3), kNow), nullptr);
}

TEST(MemoryCache, A_stale_entry_is_kept_for_its_time) {
    MemoryCache cache(8 << 20);
    auto stale = std::make_shared<Entry>(*entry(100, kNow + 10s));
    stale->stale = 5s;
    cache.put(key(1), stale, kNow);
    EXPECT_EQ(cache.get(key(1), kNow + 14'999ms), stale);
    EXPECT_EQ(cache.get(key(1), kNow + 15s), nullptr);
    EXPECT_EQ(cache.stats().evicted_ttl, 1U);
}

TEST(MemoryCache, An_entry_larger_than_a_shard_is_not_stored) {
    MemoryCache cache(64 << 20); // 16 shards of 4 MiB
    cache.put(key(1), entry(5 << 20), kNow);
    EXPECT_EQ(cache.get(key(1), kNow), nullptr);
    cache.put(key(1), entry(1 << 20), kNow);
    EXPECT_NE(cache.get(key(1), kNow), nullptr);
    cache.put(key(1), entry(5 << 20), kNow);
    EXPECT_EQ(cache.get(key(1), kNow), nullptr) << "an answer that was replaced is still there";
}

TEST(MemoryCache, A_mebibyte_fits_from_eight_mebibytes_on) {
    for (const std::uint64_t capacity : {8ULL << 20, 16ULL << 20, 100ULL << 20, 256ULL << 20}) {
        MemoryCache cache(capacity);
        for (std::uint64_t i = 0; i < 32; ++i) {
            cache.put(key(i), entry(1 << 20), kNow);
            EXPECT_NE(cache.get(key(i), kNow), nullptr) << capacity << ' ' << i;
        }
        EXPECT_LE(cache.stats().bytes, capacity);
    }
}

TEST(MemoryCache, No_capacity_stores_nothing) {
    MemoryCache cache(0);
    cache.put(key(1), entry(1), kNow);
    EXPECT_EQ(cache.get(key(1), kNow), nullptr);
    EXPECT_EQ(cache.stats().bytes, 0U);
}

TEST(MemoryCache, Capacity_is_never_exceeded) {
    constexpr std::uint64_t kCapacity = 2 << 20;
    MemoryCache cache(kCapacity);
    std::mt19937_64 random(3);
    for (int i = 0; i < 20'000; ++i) {
        const Key name = key(random() % 3'000);
        if (random() % 2 == 0) {
            static_cast<void>(cache.get(name, kNow + std::chrono::seconds(i)));
        } else {
            const auto lifetime = std::chrono::seconds(random() % 5'000);
            cache.put(name, entry(random() % 20'000, kNow + std::chrono::seconds(i) + lifetime),
                      kNow + std::chrono::seconds(i));
        }
        ASSERT_LE(cache.stats().bytes, kCapacity) << "after step " << i;
    }
    const MemoryStats stats = cache.stats();
    EXPECT_EQ(stats.capacity, kCapacity);
    EXPECT_GT(stats.entries, 50U);
    EXPECT_GT(stats.evicted_size, 0U);
    EXPECT_GT(stats.evicted_ttl, 0U);
    cache.clear();
    EXPECT_EQ(cache.stats().entries, 0U);
    EXPECT_EQ(cache.stats().bytes, 0U);
}

TEST(MemoryCache, Keys_asked_for_once_do_not_push_out_the_hot_ones) {
    MemoryCache cache(4 << 20); // room for about 3,000 entries
    constexpr std::uint64_t kHot = 200;
    std::uint64_t hits = 0;
    std::uint64_t lookups = 0;
    const auto ask = [&](std::uint64_t n) {
        if (cache.get(key(n), kNow) != nullptr) return true;
        cache.put(key(n), entry(1'000), kNow);
        return false;
    };
    for (std::uint64_t i = 0; i < 100'000; ++i) {
        ask(1'000'000 + i);
        if (i % 4 != 0) continue;
        ++lookups;
        if (ask(i / 4 % kHot)) ++hits;
    }
    EXPECT_GE(static_cast<double>(hits), 0.95 * static_cast<double>(lookups)) << hits << " of " << lookups;
}

TEST(MemoryCache, A_hot_set_survives_one_long_scan) {
    MemoryCache cache(4 << 20);
    for (int round = 0; round < 4; ++round) {
        for (std::uint64_t i = 0; i < 200; ++i) {
            if (cache.get(key(i), kNow) == nullptr) cache.put(key(i), entry(1'000), kNow);
        }
    }
    for (std::uint64_t i = 0; i < 100'000; ++i) cache.put(key(1'000'000 + i), entry(1'000), kNow);
    std::uint64_t left = 0;
    for (std::uint64_t i = 0; i < 200; ++i) left += cache.get(key(i), kNow) != nullptr ? 1U : 0U;
    EXPECT_GE(left, 190U);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TOLLGATE_TEST_OTHER_ALLOCATOR
#endif
#endif
TEST(MemoryCache, A_million_keys_asked_for_once_leave_a_thousand_hot_ones) { // scenario 76
    constexpr std::uint64_t kCapacity = 16 << 20;                            // room for about 12,000 entries
    constexpr std::uint64_t kOnce = 1'000'000;
    constexpr std::uint64_t kHot = 1'000;
    MemoryCache cache(kCapacity);
    std::uint64_t hits = 0;
    std::uint64_t most = 0;
    const std::size_t before = mallinfo2().uordblks;
    for (std::uint64_t i = 0; i < kOnce; ++i) {
        cache.put(key(1'000'000 + i), entry(1'000), kNow);
        const Key hot = key(i % kHot);
        if (cache.get(hot, kNow) != nullptr)
            ++hits;
        else
            cache.put(hot, entry(1'000), kNow);
        if (i % 50'000 == 0) most = std::max<std::uint64_t>(most, mallinfo2().uordblks - before);
    }
    std::printf("hot hit ratio %.2f %%, at most %.1f MiB of %.1f MiB\n", 100.0 * static_cast<double>(hits) / kOnce,
                static_cast<double>(most) / 1048576.0, static_cast<double>(kCapacity) / 1048576.0);
    EXPECT_GE(hits, kOnce / 100 * 95);
#ifndef TOLLGATE_TEST_OTHER_ALLOCATOR
    EXPECT_LE(most, kCapacity / 10 * 11);
#endif
}

TEST(MemoryCache, What_is_purged_is_gone_and_counted) {
    MemoryCache cache(8 << 20);
    cache.put(key(1), entry(100), kNow);
    cache.put(key(2), entry(100), kNow);
    cache.remove(key(1));
    cache.remove(key(3));
    EXPECT_EQ(cache.get(key(1), kNow), nullptr);
    EXPECT_NE(cache.get(key(2), kNow), nullptr);
    EXPECT_EQ(cache.stats().evicted_purge, 1U);
    cache.clear();
    EXPECT_EQ(cache.stats().evicted_purge, 2U);
    EXPECT_EQ(cache.stats().bytes, 0U);
}

TEST(MemoryCache, A_key_that_comes_back_soon_goes_to_the_main_queue) {
    MemoryCache cache(1 << 20); // room for about 750 entries
    std::uint64_t next = 1'000;
    const auto scan = [&](int count) {
        while (count-- > 0) cache.put(key(++next), entry(1'000), kNow);
    };
    cache.put(key(0), entry(1'000), kNow);
    scan(1'000);
    ASSERT_EQ(cache.get(key(0), kNow), nullptr) << "never evicted";
    cache.put(key(0), entry(1'000), kNow);
    cache.put(key(1), entry(1'000), kNow);
    scan(2'000);
    EXPECT_NE(cache.get(key(0), kNow), nullptr);
    EXPECT_EQ(cache.get(key(1), kNow), nullptr) << "was new, so it belonged into the small queue";
}

#ifndef TOLLGATE_TEST_OTHER_ALLOCATOR
TEST(MemoryCache, Accounts_what_the_allocator_spends) {
    for (const std::size_t size : {10U, 300U, 2'000U, 30'000U}) {
        const std::size_t count = (16U << 20) / (size + 300);
        MemoryCache cache(64 << 20);
        const std::size_t before = mallinfo2().uordblks;
        for (std::size_t i = 0; i < count; ++i) cache.put(key(i), entry(size), kNow);
        const auto real = static_cast<double>(mallinfo2().uordblks - before);
        const auto said = static_cast<double>(cache.stats().bytes);
        EXPECT_EQ(cache.stats().entries, count);
        EXPECT_NEAR(said / real, 1.0, 0.1) << size << ": accounted " << said << ", really " << real;
    }
}
#endif

TEST(MemoryCache, Threads_may_share_it) {
    MemoryCache cache(2 << 20);
    std::vector<std::thread> threads;
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
        threads.emplace_back([&cache, seed] {
            std::mt19937_64 random(seed);
            for (int i = 0; i < 10'000; ++i) {
                const std::uint64_t n = random() % 500;
                const WallTime now = kNow + std::chrono::milliseconds(i);
                if (const EntryPtr found = cache.get(key(n), now)) {
                    ASSERT_EQ(found->body.size(), n * 30) << "an entry of another key";
                } else {
                    cache.put(key(n), entry(n * 30, now + 500ms), now);
                }
                if (i % 1'000 == 0) ASSERT_LE(cache.stats().bytes, cache.stats().capacity);
                if (i == 5'000 && seed == 0) cache.clear();
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_GT(cache.stats().entries, 0U);
}

} // namespace
} // namespace tollgate::cache
