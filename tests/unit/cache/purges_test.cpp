#include "cache/purges.hpp"

#include "gateway/base/crypto.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace tollgate::cache {
namespace {

using namespace std::chrono_literals;

const WallTime kNow = WallTime(1'700'000'000s);
const Key kKey{1, 2, 3};

Entry asked_at(std::uint64_t clock, std::string tags = {}) {
    Entry entry;
    entry.purge_clock = clock;
    entry.tags = std::move(tags);
    return entry;
}

bool covered(const Purges& purges, const Entry& entry, const Key& key = kKey) {
    return purges.covers(key, entry, {"model/m", "team/red"});
}

TEST(Purges, Cover_what_was_asked_before_and_nothing_after) {
    Purges purges;
    const Entry before = asked_at(purges.clock());
    EXPECT_FALSE(covered(purges, before));
    const std::uint64_t stamp = purges.purge("model/m", kNow);
    EXPECT_EQ(stamp, 1'700'000'000'000U);
    EXPECT_TRUE(covered(purges, before)) << "also if it is stored only now (scenario 73)";
    EXPECT_FALSE(covered(purges, asked_at(purges.clock())));
}

TEST(Purges, Are_about_one_thing) {
    for (const std::string& name : {std::string("all"), std::string("model/m"), std::string("team/red"),
                                    std::string("tag/b"), "key/" + crypto::to_hex(kKey)}) {
        Purges purges;
        purges.purge(name, kNow);
        EXPECT_TRUE(covered(purges, asked_at(0, "a\nb\n"))) << name;
    }
    Purges others;
    for (const std::string name : {"model/n", "team/blue", "tag/c", "tag/a\nb", "tag/", "key/00", "everything"})
        others.purge(name, kNow);
    EXPECT_FALSE(covered(others, asked_at(0, "a\nb\n")));
}

TEST(Purges, Stamps_grow_whatever_the_clock_says) {
    Purges purges;
    const std::uint64_t first = purges.purge("model/m", kNow);
    EXPECT_EQ(purges.purge("model/m", kNow - 1h), first + 1);
    purges.merge({"team/red", first - 5});
    EXPECT_EQ(purges.clock(), first + 1);
    EXPECT_FALSE(covered(purges, asked_at(first + 1)));
}

TEST(Purges, Too_many_become_one_of_everything) {
    Purges purges;
    for (std::size_t i = 0; i <= Purges::kMost; ++i) purges.purge("tag/" + std::to_string(i), kNow);
    EXPECT_TRUE(covered(purges, asked_at(0)));
    EXPECT_LE(purges.count(), Purges::kMost);
    for (std::size_t i = 0; i <= Purges::kMost; ++i) purges.purge("tag/" + std::to_string(i), kNow);
    EXPECT_LE(purges.take_news().size(), Purges::kMost);
}

TEST(Purges, News_are_taken_once_and_may_be_given_back) {
    Purges purges;
    EXPECT_TRUE(purges.claim_exchange(TimePoint(1h)));
    EXPECT_FALSE(purges.claim_exchange(TimePoint(1h)));
    purges.purge("model/m", kNow);
    EXPECT_TRUE(purges.claim_exchange(TimePoint(1h))) << "news do not wait";
    auto news = purges.take_news();
    ASSERT_EQ(news.size(), 1U);
    EXPECT_EQ(news[0].name, "model/m");
    EXPECT_TRUE(purges.take_news().empty());
    purges.give_back(std::move(news));
    EXPECT_TRUE(purges.has_news());
    EXPECT_EQ(purges.take_news().size(), 1U);
    EXPECT_FALSE(purges.claim_exchange(TimePoint(1h)));
    EXPECT_TRUE(purges.claim_exchange(TimePoint(1h) + 1s));
}

TEST(Purges, Threads_may_share_it) {
    Purges purges;
    std::thread purging([&] {
        for (int i = 0; i < 2'000; ++i) purges.purge("model/m", kNow);
    });
    std::uint64_t last = 0;
    for (int i = 0; i < 2'000; ++i) {
        const std::uint64_t clock = purges.clock();
        EXPECT_GE(clock, last);
        last = clock;
        EXPECT_FALSE(covered(purges, asked_at(UINT64_MAX)));
    }
    purging.join();
    EXPECT_EQ(purges.clock(), 1'700'000'000'000U + 1'999U);
}

} // namespace
} // namespace tollgate::cache
