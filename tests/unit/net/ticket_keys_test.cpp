#include "gateway/net/ticket_keys.hpp"

#include "gateway/net/permits.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

namespace tollgate::net {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart = TimePoint(1000h);

TEST(TicketKeys, key_isUsedForHalfADayAndForgottenAfterADay) {
    TicketKeys keys;
    const auto first = keys.current(kStart);
    EXPECT_EQ(keys.current(kStart + 12h - 1ms).name, first.name);
    ASSERT_TRUE(keys.find(first.name, kStart + 12h - 1ms));
    EXPECT_FALSE(keys.find(first.name, kStart + 12h - 1ms)->renew);
    const auto second = keys.current(kStart + 12h);
    EXPECT_NE(second.name, first.name);
    EXPECT_NE(second.cipher, first.cipher);
    EXPECT_NE(second.mac, first.mac);
    const auto old = keys.find(first.name, kStart + 12h);
    ASSERT_TRUE(old);
    EXPECT_TRUE(old->renew);
    EXPECT_EQ(old->key.cipher, first.cipher);
    EXPECT_TRUE(keys.find(first.name, kStart + 24h - 1ms));
    EXPECT_FALSE(keys.find(first.name, kStart + 24h));
}

TEST(TicketKeys, idleServer_forgetsJustTheSame) {
    TicketKeys keys;
    const auto first = keys.current(kStart);
    EXPECT_FALSE(keys.find(first.name, kStart + 24h)) << "nobody asked for half a day";
    EXPECT_FALSE(keys.find(first.name, kStart + 12h)) << "gone is gone";
}

TEST(TicketKeys, foreignName_isNotFound) {
    TicketKeys keys;
    TicketKeys others;
    (void)keys.current(kStart);
    EXPECT_FALSE(keys.find(others.current(kStart).name, kStart));
}

TEST(Permits, areGivenBack) {
    Permits slots(2);
    auto one = std::make_optional(slots.take());
    const auto two = slots.take();
    EXPECT_TRUE(*one && two);
    EXPECT_FALSE(slots.take());
    EXPECT_FALSE(slots.take()) << "a refusal takes nothing";
    {
        const auto moved = std::move(*one);
        one.reset();
        EXPECT_FALSE(slots.take());
    }
    EXPECT_TRUE(slots.take());
}

} // namespace
} // namespace tollgate::net
