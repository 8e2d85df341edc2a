#include "gateway/exchange/peer.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tollgate::exchange {
namespace {

std::string client_of(const char* peer_address, std::vector<http::Field> fields) {
    const std::vector trusted{*config::parse_range("10.0.0.0/8"), *config::parse_range("fd00::/64")};
    const Peer peer{peer_address};
    http::RequestHead head;
    head.fields = std::move(fields);
    return std::string(client_address(peer, head, trusted).text);
}

TEST(ClientAddress, case_254_untrusted_peer_is_not_believed) {
    EXPECT_EQ(client_of("192.0.2.1", {{"X-Forwarded-For", "127.0.0.1"}}), "192.0.2.1");
}

TEST(ClientAddress, trusted_peer_names_the_right_most_stranger) {
    EXPECT_EQ(client_of("10.0.0.1", {}), "10.0.0.1");
    EXPECT_EQ(client_of("10.0.0.1", {{"x-forwarded-for", "203.0.113.9"}}), "203.0.113.9");
    EXPECT_EQ(client_of("10.0.0.1", {{"X-Forwarded-For", "127.0.0.1, 203.0.113.9, 10.2.3.4"}}), "203.0.113.9");
    EXPECT_EQ(client_of("10.0.0.1", {{"X-Forwarded-For", "198.51.100.1"}, {"X-Forwarded-For", "203.0.113.9"}}),
              "203.0.113.9");
    EXPECT_EQ(client_of("10.0.0.1", {{"X-Forwarded-For", "203.0.113.9"}, {"X-Forwarded-For", "10.9.9.9"}}),
              "203.0.113.9");
    EXPECT_EQ(client_of("10.0.0.1", {{"X-Forwarded-For", "10.2.3.4"}}), "10.2.3.4") << "all hops are trusted";
}

TEST(ClientAddress, ports_and_brackets_are_taken_off) {
    EXPECT_EQ(client_of("fd00::1", {{"X-Forwarded-For", "203.0.113.9:4711"}}), "203.0.113.9");
    EXPECT_EQ(client_of("fd00::1", {{"X-Forwarded-For", "[2001:db8::7]:4711"}}), "2001:db8::7");
    EXPECT_EQ(client_of("fd00::1", {{"X-Forwarded-For", "2001:db8::7"}}), "2001:db8::7");
}

TEST(ClientAddress, nonsense_stops_at_the_last_hop_somebody_vouched_for) {
    for (const char* value : {"", ",", "unknown", "[", "[]", "]:1", "203.0.113.9, x", "_hidden:1"})
        EXPECT_EQ(client_of("10.0.0.1", {{"X-Forwarded-For", value}}), "10.0.0.1") << value;
    EXPECT_EQ(client_of("10.0.0.1", {{"X-Forwarded-For", "1.2.3.4, nonsense, 10.2.3.4"}}), "10.2.3.4");
}

} // namespace
} // namespace tollgate::exchange
