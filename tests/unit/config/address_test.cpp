#include "config/address.hpp"

#include <gtest/gtest.h>

namespace tollgate::config {
namespace {

TEST(AddressRanges, private_addresses_in_every_form_are_private) {
    for (const char* text : {"0.0.0.0",
                             "0.1.2.3",
                             "10.0.0.1",
                             "100.64.0.1",
                             "100.127.255.255",
                             "127.0.0.1",
                             "127.9.9.9",
                             "169.254.1.1",
                             "172.16.0.1",
                             "172.31.255.255",
                             "192.0.0.1",
                             "192.168.0.1",
                             "198.18.0.1",
                             "198.19.255.255",
                             "224.0.0.1",
                             "255.255.255.255",
                             "::",
                             "::1",
                             "fc00::1",
                             "fdff::1",
                             "fe80::1",
                             "febf::1",
                             "fec0::1",
                             "ff02::1",
                             "::ffff:10.0.0.1",
                             "64:ff9b::a00:1",
                             "64:ff9b:1::1",
                             "2002:a00:1::",
                             "2002:101:101::", // through a relay nobody vouches for
                             "2001:0:1:2:3:4:f5ff:fffe"}) {
        const auto address = parse_address(text);
        ASSERT_TRUE(address) << text;
        EXPECT_EQ(reach_of(*address), Reach::restricted) << text;
    }
}

TEST(AddressRanges, public_addresses_are_not_private) {
    for (const char* text :
         {"1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.0.1.1", "198.17.0.1",
          "198.20.0.1", "223.255.255.255", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"}) {
        const auto address = parse_address(text);
        ASSERT_TRUE(address) << text;
        EXPECT_EQ(reach_of(*address), Reach::open) << text;
        EXPECT_FALSE(is_loopback(*address)) << text;
    }
}

TEST(AddressRanges, metadata_services_are_known_in_every_form) {
    for (const char* text :
         {"169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "192.0.0.192", "168.63.129.16",
          "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
          "64:ff9b:1:a9fe:a9:fe00::", "::169.254.169.254", "::ffff:0:169.254.169.254"}) {
        const auto address = parse_address(text);
        ASSERT_TRUE(address) << text;
        EXPECT_EQ(reach_of(*address), Reach::forbidden) << text;
    }
    EXPECT_TRUE(is_metadata_name("METADATA"));
    EXPECT_TRUE(is_metadata_name("metadata.google.internal."));
    EXPECT_FALSE(is_metadata_name("metadata.example.com"));
}

TEST(AddressRanges, loopback_is_seen_through_mapping) {
    EXPECT_TRUE(is_loopback(*parse_address("::ffff:127.0.0.1")));
    EXPECT_TRUE(is_loopback(*parse_address("::1")));
    EXPECT_FALSE(is_loopback(*parse_address("0.0.0.0")));
    EXPECT_TRUE(is_unspecified(*parse_address("::ffff:0.0.0.0")));
}

TEST(AddressRange, holds_what_is_inside_and_nothing_else) {
    const auto inside = [](const char* range, const char* address) {
        const auto parsed = parse_range(range);
        EXPECT_TRUE(parsed) << range;
        return parsed && contains(*parsed, *parse_address(address));
    };
    EXPECT_TRUE(inside("10.1.0.0/16", "10.1.0.0"));
    EXPECT_TRUE(inside("10.1.0.0/16", "10.1.255.255"));
    EXPECT_TRUE(inside("10.1.0.0/16", "::ffff:10.1.2.3"));
    EXPECT_FALSE(inside("10.1.0.0/16", "10.2.0.0"));
    EXPECT_FALSE(inside("10.1.0.0/16", "a01::"));
    EXPECT_TRUE(inside("10.4.0.0/14", "10.7.255.255"));
    EXPECT_FALSE(inside("10.4.0.0/14", "10.8.0.0"));
    EXPECT_TRUE(inside("127.0.0.1/32", "127.0.0.1"));
    EXPECT_FALSE(inside("127.0.0.1/32", "127.0.0.2"));
    EXPECT_TRUE(inside("0.0.0.0/0", "192.168.1.1"));
    EXPECT_FALSE(inside("0.0.0.0/0", "fd00::1"));
    EXPECT_TRUE(inside("fd12:3400::/24", "fd12:34ff::1"));
    EXPECT_FALSE(inside("fd12:3400::/24", "fd12:3500::1"));
    EXPECT_TRUE(inside("::/0", "10.1.1.1"));
    EXPECT_TRUE(inside("fe80::1/128", "fe80::1"));
}

TEST(AddressRange, slips_are_refused) {
    for (const char* text : {"10.1.0.0/", "10.1.0.0/33", "10.1.0.0/+8", "10.1.0.0/8", "10.1/16", "/8", "fd12::/129",
                             "fd12::1/64", "host/8", "10.1.0.0/16/16", "10.1.0.0/1 6"}) {
        EXPECT_FALSE(parse_range(text)) << text;
    }
}

TEST(AddressText, disguises_are_no_addresses) {
    for (const char* text : {"127.1", "2130706433", "0x7f.1", "0177.0.0.1", "0xa9fea9fe", "1.2.3", "1.2.3.4.5",
                             "256.1.1.1", "a.0x1", "127.0.0.1."}) {
        EXPECT_FALSE(parse_address(text)) << text;
        EXPECT_TRUE(disguised_address(text)) << text;
    }
    for (const char* text : {"127.0.0.1", "example.com", "1a.example", "a1", "4chan.org."}) {
        EXPECT_FALSE(disguised_address(text)) << text;
    }
    for (const char* text : {"", "fe80::1%eth0", "[::1]", "1.2.3.4 ", "::ffff:1.2.3"}) {
        EXPECT_FALSE(parse_address(text)) << text;
    }
}

TEST(AddressRange, holds_what_shares_its_leading_bits) {
    const auto v4 = parse_range("10.64.0.0/10");
    ASSERT_TRUE(v4);
    EXPECT_TRUE(contains(*v4, *parse_address("10.64.0.0")));
    EXPECT_TRUE(contains(*v4, *parse_address("10.127.255.255")));
    EXPECT_TRUE(contains(*v4, *parse_address("::ffff:10.100.0.1"))) << "how a dual-stack socket shows it";
    EXPECT_FALSE(contains(*v4, *parse_address("10.128.0.0")));
    const auto v6 = parse_range("fd00:1::/33");
    ASSERT_TRUE(v6);
    EXPECT_TRUE(contains(*v6, *parse_address("fd00:1:0:1::")));
    EXPECT_FALSE(contains(*v6, *parse_address("fd00:1:8000::")));
    EXPECT_TRUE(contains(*parse_range("0.0.0.0/0"), *parse_address("203.0.113.9")));
    EXPECT_FALSE(contains(*parse_range("0.0.0.0/0"), *parse_address("2001:db8::1")));
    EXPECT_FALSE(contains(*parse_range("192.0.2.1"), *parse_address("192.0.2.2")));
}

} // namespace
} // namespace tollgate::config
