#include "gateway/net/address.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace tollgate::net {

void PrintTo(AddressClass kind, std::ostream* out) {
    *out << (kind == AddressClass::open ? "open" : kind == AddressClass::restricted ? "restricted" : "forbidden");
}

namespace {

constexpr auto kOpen = AddressClass::open;
constexpr auto kRestricted = AddressClass::restricted;
constexpr auto kForbidden = AddressClass::forbidden;

struct Row {
    std::string address;
    AddressClass expected;
};

void expect_rows(const std::vector<Row>& rows) {
    for (const auto& [text, expected] : rows)
        EXPECT_EQ(classify(boost::asio::ip::make_address(text)), expected) << text;
}

// R16, the first and the last address of every range, and their neighbours.
TEST(AddressClassTable, ipv4Ranges) {
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

TEST(AddressClassTable, metadataServices_areForbiddenAlways) {
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

TEST(AddressClassTable, ipv6Ranges) {
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
TEST(AddressClassTable, ipv4InsideIpv6_isJudgedAsIpv4) {
    expect_rows({{"::ffff:127.0.0.1", kRestricted},
                 {"::ffff:10.1.2.3", kRestricted},
                 {"::ffff:169.254.169.254", kForbidden},
                 {"::ffff:8.8.8.8", kOpen},
                 {"64:ff9b::8.8.8.8", kOpen}, // what DNS64 answers for a public name
                 {"64:ff9b::127.0.0.1", kRestricted},
                 {"64:ff9b::169.254.169.254", kForbidden},
                 {"64:ff9b:1::8.8.8.8", kRestricted},
                 {"64:ff9b:1::169.254.169.254", kForbidden},
                 {"2002:a9fe:a9fe::1", kForbidden}, // 6to4 of 169.254.169.254
                 {"2002:7f00:1::", kRestricted},
                 {"2002:808:808::1", kRestricted},
                 {"2001:0:1:2:3:4:5601:5601", kForbidden}, // Teredo: the client is inverted
                 {"2001:0:1:2:3:4:80ff:fffe", kRestricted},
                 {"2001:1::1", kOpen}});
}

} // namespace
} // namespace tollgate::net
