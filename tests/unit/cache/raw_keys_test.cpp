#include "cache/raw_keys.hpp"

#include "cache/key.hpp"

#include <gtest/gtest.h>

#include <time.h>

#include <cstdio>
#include <functional>
#include <string>

namespace tollgate::cache {
namespace {

Key key(std::uint8_t first) {
    Key out{};
    out[0] = first;
    return out;
}

TEST(RawKeys, The_same_octets_are_found_and_others_are_not) {
    RawKeys keys(1 << 20);
    EXPECT_EQ(keys.find("red", "{}"), nullptr);
    keys.remember("red", "{}", key(1));
    ASSERT_NE(keys.find("red", "{}"), nullptr);
    EXPECT_EQ(*keys.find("red", "{}"), key(1));
    EXPECT_EQ(keys.find("blue", "{}"), nullptr);
    EXPECT_EQ(keys.find("red", "{ }"), nullptr);
    EXPECT_EQ(keys.find("red{", "}"), nullptr) << "where the context ends is a part of it";
    EXPECT_EQ(keys.find("re", "d{}"), nullptr);
}

TEST(RawKeys, It_is_bounded_and_the_oldest_go_first) {
    constexpr std::size_t kCapacity = 64 * 1024;
    RawKeys keys(kCapacity);
    const std::string body(1'000, 'x');
    for (int i = 0; i < 1'000; ++i) {
        keys.remember(std::to_string(i), body, key(static_cast<std::uint8_t>(i)));
        ASSERT_LE(keys.octets(), kCapacity);
    }
    EXPECT_EQ(keys.find("0", body), nullptr);
    ASSERT_NE(keys.find("999", body), nullptr);
    EXPECT_EQ(*keys.find("999", body), key(static_cast<std::uint8_t>(999)));
    EXPECT_NE(keys.find("960", body), nullptr);
}

TEST(RawKeys, What_is_too_long_is_not_remembered) {
    RawKeys keys(1 << 20);
    const std::string longest(RawKeys::kLongest - 1, 'x');
    keys.remember("c", longest, key(1));
    EXPECT_NE(keys.find("c", longest), nullptr);
    const std::string longer(RawKeys::kLongest, 'x');
    keys.remember("c", longer, key(2));
    EXPECT_EQ(keys.find("c", longer), nullptr);
    RawKeys tiny(100);
    tiny.remember("c", "b", key(3));
    EXPECT_EQ(tiny.find("c", "b"), nullptr);
    EXPECT_EQ(tiny.octets(), 0U);
}

TEST(RawKeys, Remembering_twice_counts_once) {
    RawKeys keys(1 << 20);
    keys.remember("c", "b", key(1));
    const std::size_t octets = keys.octets();
    keys.remember("c", "b", key(1));
    EXPECT_EQ(keys.octets(), octets);
}

// Of this thread, so that other work on the machine counts as little as it can.
double cpu_nanoseconds() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return 1e9 * static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec);
}

double best_of(int rounds, const std::function<void()>& work) {
    double best = 1e18;
    for (int round = 0; round < rounds; ++round) {
        constexpr int kEach = 20;
        const double start = cpu_nanoseconds();
        for (int i = 0; i < kEach; ++i) work();
        best = std::min(best, (cpu_nanoseconds() - start) / kEach);
    }
    return best;
}

// Prints what the key of a 20 kB prompt costs, the first time and again; nothing about time is asserted.
TEST(KeyBench, Of_a_prompt_of_20_kB) {
    std::string prompt;
    while (prompt.size() < 20'000) prompt += "The quick brown fox jumps over the lazy dog. ";
    const std::string body =
        R"({"model":"m","messages":[{"role":"user","content":")" + prompt + R"("}],"temperature":0})";
    crypto::Hmac mac(crypto::Digest{1, 2, 3});
    const KeyParts parts{
        .scope = "team:red", .space = {}, .endpoint = "/chat/completions", .identity = "p/m", .headers = {}};
    Key first{};
    const double canonical = best_of(50, [&] { first = make_key(mac, parts, *canonical_json(body)); });
    RawKeys keys(1 << 20);
    keys.remember("context", body, first);
    Key again{};
    const double raw = best_of(50, [&] { again = *keys.find("context", body); });
    EXPECT_EQ(again, first);
    std::printf("key of 20 kB: %.1f us, with the same octets seen before: %.2f us\n", canonical / 1e3, raw / 1e3);
}

} // namespace
} // namespace tollgate::cache
