#include "cache/redis/cluster.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tollgate::redis {
namespace {

TEST(Cluster, Slots_are_those_of_the_specification) {
    EXPECT_EQ(slot_of("123456789"), 0x31C3); // CRC16/XMODEM's check value
    EXPECT_EQ(slot_of("foo"), 12'182);
    EXPECT_EQ(slot_of(""), 0);
    EXPECT_EQ(slot_of("{user1000}.following"), slot_of("user1000"));
    EXPECT_EQ(slot_of("foo{bar}{zap}"), slot_of("bar"));
    EXPECT_EQ(slot_of("foo{{bar}}zap"), slot_of("{bar"));
    EXPECT_NE(slot_of("foo{}{bar}"), slot_of("bar")) << "empty braces are part of the key";
}

TEST(Cluster, The_key_of_a_command_is_found) {
    const auto key = [](std::initializer_list<std::string_view> words) {
        std::string encoded;
        append_command(encoded, words);
        return std::string(key_of(encoded));
    };
    EXPECT_EQ(key({"GET", "a"}), "a");
    EXPECT_EQ(key({"SET", "a\r\nb", "value", "PX", "1"}), "a\r\nb");
    EXPECT_EQ(key({"EVAL", "return 1", "1", "k", "x"}), "k");
    EXPECT_EQ(key({"PING"}), "");
    EXPECT_EQ(key_of(""), "");
    EXPECT_EQ(key_of("*2\r\n$3\r\nGET\r\n$99\r\na\r\n"), "");
}

} // namespace
} // namespace tollgate::redis
