#include "gateway/net/address.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace tollgate::net {

void PrintTo(Verdict verdict, std::ostream* out) {
    *out << to_string(verdict);
}

namespace {

using asio::ip::make_address;
using asio::ip::tcp;

enum class Kind : std::uint8_t { open, restricted, forbidden };
constexpr auto kOpen = Kind::open;
constexpr auto kRestricted = Kind::restricted;
constexpr auto kForbidden = Kind::forbidden;

struct Row {
    std::string address;
    Kind expected;
};

// What each kind means without and with `private: true`.
void expect_rows(const std::vector<Row>& rows) {
    for (const auto& [text, expected] : rows) {
        const tcp::endpoint to(make_address(text), 443);
        const Verdict as_public = expected == kOpen         ? Verdict::allowed
                                  : expected == kRestricted ? Verdict::not_private
                                                            : Verdict::metadata;
        const Verdict as_private = expected == kForbidden ? Verdict::metadata : Verdict::allowed;
        EXPECT_EQ(judge(to, Permission{}), as_public) << text;
        EXPECT_EQ(judge(to, Permission{.private_ranges = true}), as_private) << text;
    }
}

// R16, the first and the last address of every range, and their neighbours.
TEST(AddressTable, ipv4Ranges) {
    expect_rows({{"0.0.0.0", kRestricted},
                 {"0.255.255.255", kRestricted},
                 {"1.0.0.0", kOpen},
                 {"9.255.255.255", kOpen},
                 {"10.0.0.0", kRestricted},
                 {"10.255.255.255", kRestricted},
                 {"11.0.0.0", kOpen},
                 {"100.63.255.255", kOpen},
                 {"100.64.0.0", kRestricted},
                 {"100.127.255.255", kRestricted},
                 {"100.128.0.0", kOpen},
                 {"126.255.255.255", kOpen},
                 {"127.0.0.1", kRestricted},
                 {"127.255.255.255", kRestricted},
                 {"128.0.0.0", kOpen},
                 {"169.253.255.255", kOpen},
                 {"169.254.0.0", kRestricted},
                 {"169.254.255.255", kRestricted},
                 {"169.255.0.0", kOpen},
                 {"172.15.255.255", kOpen},
                 {"172.16.0.0", kRestricted},
                 {"172.31.255.255", kRestricted},
                 {"172.32.0.0", kOpen},
                 {"192.0.0.1", kRestricted},
                 {"192.0.1.0", kOpen},
                 {"192.167.255.255", kOpen},
                 {"192.168.0.0", kRestricted},
                 {"192.168.255.255", kRestricted},
                 {"192.169.0.0", kOpen},
                 {"198.17.255.255", kOpen},
                 {"198.18.0.0", kRestricted},
                 {"198.19.255.255", kRestricted},
                 {"198.20.0.0", kOpen},
                 {"223.255.255.255", kOpen},
                 {"224.0.0.1", kRestricted},
                 {"239.255.255.255", kRestricted},
                 {"240.0.0.0", kRestricted},
                 {"255.255.255.255", kRestricted},
                 {"8.8.8.8", kOpen}});
}

TEST(AddressTable, metadataServices_areForbiddenAlways) {
    expect_rows({{"169.254.169.254", kForbidden},
                 {"169.254.170.2", kForbidden},
                 {"169.254.170.23", kForbidden},
                 {"100.100.100.200", kForbidden},
                 {"192.0.0.192", kForbidden},
                 {"168.63.129.16", kForbidden},
                 {"fd00:ec2::254", kForbidden},
                 {"169.254.169.253", kRestricted},
                 {"fd00:ec2::253", kRestricted}});
}

TEST(AddressTable, ipv6Ranges) {
    expect_rows({{"::", kRestricted},
                 {"::1", kRestricted},
                 {"fc00::1", kRestricted},
                 {"fdff::1", kRestricted},
                 {"fe80::1", kRestricted},
                 {"febf::1", kRestricted},
                 {"fec0::1", kRestricted},
                 {"feff::1", kRestricted},
                 {"ff02::1", kRestricted},
                 {"ff0e::1", kRestricted},
                 {"::127.0.0.1", kRestricted},
                 {"100::1", kRestricted},
                 {"2606:4700::1111", kOpen},
                 {"2a00:1450::1", kOpen},
                 {"2003::1", kOpen}});
}

// R15: address::is_loopback() is false for ::ffff:127.0.0.1, which does connect to a loopback listener.
TEST(AddressTable, ipv4InsideIpv6_isJudgedAsIpv4) {
    expect_rows({{"::ffff:127.0.0.1", kRestricted},
                 {"::ffff:10.1.2.3", kRestricted},
                 {"::ffff:169.254.169.254", kForbidden},
                 {"::ffff:8.8.8.8", kOpen},
                 {"64:ff9b::8.8.8.8", kOpen}, // what DNS64 answers for a public name
                 {"64:ff9b::127.0.0.1", kRestricted},
                 {"64:ff9b::169.254.169.254", kForbidden},
                 {"64:ff9b:1::8.8.8.8", kRestricted},
                 {"64:ff9b:1::169.254.169.254", kForbidden},
                 {"64:ff9b:1:a9fe:a9:fe00::", kForbidden}, // RFC 6052 §2.2: around the octet of zero
                 {"64:ff9b:2::8.8.8.8", kRestricted},
                 {"::ffff:0:169.254.169.254", kForbidden}, // SIIT
                 {"::ffff:0:8.8.8.8", kRestricted},
                 {"::169.254.169.254", kForbidden}, // compatible
                 {"::8.8.8.8", kRestricted},
                 {"2002:a9fe:a9fe::1", kForbidden}, // 6to4 of 169.254.169.254
                 {"2002:7f00:1::", kRestricted},
                 {"2002:808:808::1", kRestricted},
                 {"2001:0:1:2:3:4:5601:5601", kForbidden}, // Teredo: the client is inverted
                 {"2001:0:1:2:3:4:80ff:fffe", kRestricted},
                 {"2001:0:a9fe:a9fe:3:4:f7f7:f7f7", kForbidden}, // its server
                 {"2001:1::1", kOpen}});
}

bool everywhere(const asio::ip::address&) noexcept {
    return true;
}
bool nowhere(const asio::ip::address&) noexcept {
    return false;
}

Permission with_own(const std::string& host, std::uint16_t port) {
    return {true, {}, std::make_shared<const OwnListeners>(OwnListeners{{make_address(host), port}})};
}

TEST(Judge, cidr_allowsNothingElse) {
    const auto range = [](const char* text) { return config::parse_range(text).value(); };
    const Permission permission{true, {range("10.1.0.0/16"), range("fd12::/16"), range("169.254.0.0/16")}, {}};
    const auto verdict = [&](const char* text) { return judge(tcp::endpoint(make_address(text), 80), permission); };
    EXPECT_EQ(verdict("10.1.2.3"), Verdict::allowed);
    EXPECT_EQ(verdict("::ffff:10.1.2.3"), Verdict::allowed);
    EXPECT_EQ(verdict("fd12::1"), Verdict::allowed);
    EXPECT_EQ(verdict("10.2.0.1"), Verdict::outside_cidr);
    EXPECT_EQ(verdict("127.0.0.1"), Verdict::outside_cidr);
    EXPECT_EQ(verdict("8.8.8.8"), Verdict::outside_cidr);
    EXPECT_EQ(verdict("169.254.169.254"), Verdict::metadata) << "no list permits that";
}

TEST(Judge, ownListener_isALoop) {
    struct Case {
        std::string own, to;
        bool loop; // with an interface of ours at that address
    };
    const std::vector<Case> cases{{"127.0.0.1", "127.0.0.1", true},
                                  {"127.0.0.1", "::ffff:127.0.0.1", true},
                                  {"127.0.0.1", "0.0.0.0", true},
                                  {"127.0.0.1", "::ffff:0.0.0.0", true},
                                  {"0.0.0.0", "::ffff:0.0.0.0", true},
                                  {"::", "::ffff:0.0.0.0", true},
                                  {"10.0.0.5", "::ffff:0.0.0.0", false},
                                  {"127.0.0.1", "127.0.0.2", false},
                                  {"127.0.0.1", "::1", false},
                                  {"::1", "::1", true},
                                  {"::1", "::", true},
                                  {"10.0.0.5", "10.0.0.5", true},
                                  {"10.0.0.5", "10.0.0.6", false},
                                  {"10.0.0.5", "127.0.0.1", false},
                                  {"0.0.0.0", "127.0.0.9", true},
                                  {"0.0.0.0", "10.0.0.5", true},
                                  {"0.0.0.0", "::ffff:10.0.0.5", true},
                                  {"0.0.0.0", "::1", false},
                                  {"::", "::1", true},
                                  {"::", "10.0.0.5", true},
                                  {"::", "fd00::5", true},
                                  {"0.0.0.0", "8.8.8.8", true}};
    for (const auto& [own, to, loop] : cases) {
        const auto verdict = [&](std::uint16_t port) {
            return judge(tcp::endpoint(make_address(to), port), with_own(own, 8080), everywhere);
        };
        EXPECT_EQ(verdict(8080), loop ? Verdict::own_listener : Verdict::allowed) << own << " " << to;
        EXPECT_EQ(verdict(8081), Verdict::allowed) << own << " " << to;
    }
    EXPECT_EQ(judge({make_address("10.0.0.5"), 8080}, with_own("0.0.0.0", 8080), nowhere), Verdict::allowed);
    EXPECT_EQ(judge({make_address("127.0.0.5"), 8080}, with_own("0.0.0.0", 8080), nowhere), Verdict::own_listener);
}

TEST(AddressText, hasNoZone) {
    EXPECT_EQ(to_text(make_address("fe80::1%1")), "fe80::1");
    EXPECT_EQ(to_text(make_address("2001:db8::1")), "2001:db8::1");
    EXPECT_EQ(to_text(make_address("192.0.2.1")), "192.0.2.1");
    const auto one = config::parse_address(to_text(make_address("fe80::1%1")));
    EXPECT_TRUE(one.has_value()) << "limits and lists of proxies are about it";
}

TEST(LocalAddress, isToldFromAForeignOne) {
    EXPECT_TRUE(is_local_address(make_address("127.0.0.1")));
    EXPECT_FALSE(is_local_address(make_address("192.0.2.1")));
    EXPECT_FALSE(is_local_address(make_address("2001:db8::1")));
}

} // namespace
} // namespace tollgate::net
