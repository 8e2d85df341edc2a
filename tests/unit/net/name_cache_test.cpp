#include "gateway/net/name_cache.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace tollgate::net {

void PrintTo(NameCache::Need need, std::ostream* out) {
    *out << (need == NameCache::Need::nothing ? "nothing" : need == NameCache::Need::refresh ? "refresh" : "look_up");
}

namespace {

using namespace std::chrono_literals;
using Need = NameCache::Need;

const TimePoint kStart = TimePoint(1000h);

Addresses one(const char* text) {
    return {boost::asio::ip::make_address(text)};
}

struct Fixture {
    NameCache cache;
    TimePoint now = kStart;
    void expect(Need need, const Addresses& addresses, const char* why) {
        const auto found = cache.find("host", now);
        EXPECT_EQ(found.need, need) << why;
        EXPECT_EQ(*found.addresses, addresses) << why;
    }
};

TEST(NameCache, unknownName_isLookedUp) {
    Fixture f;
    f.expect(Need::look_up, {}, "never heard of");
}

TEST(NameCache, nameInUse_isRefreshedBeforeAnybodyWaits) {
    Fixture f;
    EXPECT_EQ(*f.cache.learn("host", one("192.0.2.1"), f.now), one("192.0.2.1"));
    f.now = kStart + 20s - 1ms;
    f.expect(Need::nothing, one("192.0.2.1"), "fresh");
    f.now = kStart + 20s;
    f.expect(Need::refresh, one("192.0.2.1"), "answered at once and asked again");
    f.now = kStart + 10min - 1ms;
    f.expect(Need::refresh, one("192.0.2.1"), "still answered at once");
    f.cache.learn("host", one("192.0.2.2"), f.now);
    f.expect(Need::nothing, one("192.0.2.2"), "the new answer");
}

TEST(NameCache, longUnusedName_isLookedUpWithSomethingToFallBackOn) {
    Fixture f;
    f.cache.learn("host", one("192.0.2.1"), f.now);
    f.now = kStart + 10min;
    f.expect(Need::look_up, one("192.0.2.1"), "worth waiting for");
    f.now = kStart + 24h - 1ms;
    f.expect(Need::look_up, one("192.0.2.1"), "last good");
    f.now = kStart + 24h;
    f.expect(Need::look_up, {}, "too old to be true");
}

// F6: last good addresses up to 24 h, asked again every 5 s.
TEST(NameCache, failure_keepsTheLastGoodAnswer) {
    Fixture f;
    f.cache.learn("host", one("192.0.2.1"), f.now);
    f.now = kStart + 1h;
    EXPECT_EQ(*f.cache.learn("host", {}, f.now), one("192.0.2.1"));
    f.now += 5s - 1ms;
    f.expect(Need::nothing, one("192.0.2.1"), "nobody asks again so soon");
    f.now += 1ms;
    f.expect(Need::look_up, one("192.0.2.1"), "asked again");
    f.now = kStart + 24h;
    EXPECT_EQ(*f.cache.learn("host", {}, f.now), Addresses{}) << "its age counts from the last success";
    f.expect(Need::nothing, {}, "failed just now");
    EXPECT_EQ(*f.cache.learn("host", one("192.0.2.3"), f.now), one("192.0.2.3"));
}

TEST(NameCache, failure_isRememberedForFiveSeconds) {
    Fixture f;
    EXPECT_EQ(*f.cache.learn("host", {}, f.now), Addresses{});
    f.now = kStart + 5s - 1ms;
    f.expect(Need::nothing, {}, "negative");
    f.now = kStart + 5s;
    f.expect(Need::look_up, {}, "asked again");
}

// F6: a name with 1,000 addresses.
TEST(NameCache, manyAddresses_areCut) {
    Fixture f;
    Addresses thousand;
    for (unsigned i = 0; i < 1000; ++i) thousand.emplace_back(boost::asio::ip::address_v4(0xC0000200U + i));
    const auto kept = f.cache.learn("host", thousand, f.now);
    EXPECT_EQ(*kept, Addresses(thousand.begin(), thousand.begin() + 16));
}

TEST(NameCache, names_areBounded) {
    NameCache cache;
    for (unsigned i = 0; i < 5000; ++i) cache.learn("n" + std::to_string(i), one("192.0.2.1"), kStart + i * 1ms);
    EXPECT_EQ(cache.size(), NameCache::kMaxNames);
    EXPECT_TRUE(cache.find("n0", kStart).addresses->empty()) << "the stalest went";
    EXPECT_FALSE(cache.find("n4999", kStart + 5s).addresses->empty());
}

} // namespace
} // namespace tollgate::net
