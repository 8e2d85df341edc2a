#include "gateway/net/sources.hpp"

#include <gtest/gtest.h>

namespace tollgate::net {
namespace {

Source from(const char* text) {
    return source_of(*config::parse_address(text));
}

TEST(Source, is_an_ipv4_address_or_an_ipv6_network) {
    EXPECT_NE(from("192.0.2.1"), from("192.0.2.2"));
    EXPECT_EQ(from("192.0.2.1"), from("::ffff:192.0.2.1")) << "the same peer on a dual-stack socket";
    EXPECT_EQ(from("2001:db8:1:2::1"), from("2001:db8:1:2:ffff::9"));
    EXPECT_NE(from("2001:db8:1:2::1"), from("2001:db8:1:3::1"));
}

TEST(Sources, case_245_one_source_holds_its_share_and_no_more) {
    Sources sources;
    auto first = sources.enter(from("192.0.2.1"), 2);
    auto second = sources.enter(from("192.0.2.1"), 2);
    ASSERT_TRUE(first && second);
    EXPECT_FALSE(sources.enter(from("192.0.2.1"), 2));
    auto other = sources.enter(from("192.0.2.2"), 2);
    EXPECT_TRUE(other);
    first.reset();
    EXPECT_TRUE(sources.enter(from("192.0.2.1"), 2));
}

TEST(Sources, nothing_stays_of_a_source_that_left) {
    Sources sources;
    {
        auto lease = sources.enter(from("192.0.2.1"), 1);
        Sources::Lease moved = std::move(*lease);
        EXPECT_EQ(sources.size(), 1U);
        EXPECT_FALSE(sources.enter(from("192.0.2.3"), 0));
    }
    EXPECT_EQ(sources.size(), 0U);
}

} // namespace
} // namespace tollgate::net
