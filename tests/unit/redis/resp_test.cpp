#include "cache/redis/resp.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tollgate::redis {
namespace {

std::string show(const Reply& reply) {
    switch (reply.kind) {
    case Reply::Kind::nil: return "nil";
    case Reply::Kind::string: return "\"" + reply.text + "\"";
    case Reply::Kind::status: return "+" + reply.text;
    case Reply::Kind::error: return "-" + reply.text;
    case Reply::Kind::integer: return std::to_string(reply.integer);
    case Reply::Kind::array: break;
    }
    std::string out;
    for (const Reply& element : reply.elements) out += (out.empty() ? "" : " ") + show(element);
    return "[" + out + "]";
}

// Everything a reader makes of the pieces: replies, then "error" if there was one.
std::vector<std::string> read(const std::vector<std::string_view>& pieces) {
    ReplyReader reader;
    std::vector<std::string> out;
    for (const std::string_view piece : pieces) {
        const auto fed = reader.feed(piece);
        for (;;) {
            const auto reply = reader.next();
            if (!reply || !fed) {
                EXPECT_TRUE(!reply) << "an error of feed() was forgotten";
                out.emplace_back("error");
                return out;
            }
            if (!*reply) break;
            out.push_back(show(**reply));
        }
    }
    return out;
}

struct Sample {
    std::string bytes;
    std::vector<std::string> replies;
};

std::vector<Sample> samples() {
    return {
        {"+OK\r\n", {"+OK"}},
        {"+\r\n", {"+"}},
        {"-ERR no\r\n", {"-ERR no"}},
        {":0\r\n:-1\r\n:9223372036854775807\r\n", {"0", "-1", "9223372036854775807"}},
        {":-9223372036854775808\r\n", {"-9223372036854775808"}},
        {"$0\r\n\r\n", {"\"\""}},
        {"$-1\r\n", {"nil"}},
        {"*-1\r\n", {"nil"}},
        {"*0\r\n", {"[]"}},
        {std::string("$6\r\na\r\nb\0c\r\n", 12), {std::string("\"a\r\nb\0c\"", 8)}},
        {"$6\r\na\r\n$1\r\r\n+x\r\n", {"\"a\r\n$1\r\"", "+x"}},
        {"*3\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n+ok\r\n:5\r\n", {"[\"a\" [1 nil] +ok]", "5"}},
        {"*2\r\n*0\r\n*-1\r\n+z\r\n", {"[[] nil]", "+z"}},
        {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", {"[[[[[[[1]]]]]]]"}},
    };
}

TEST(AppendCommand, Encodes_lengths_in_octets) {
    std::string out = "before";
    append_command(out, {"SET", "k\r\n", "", "\xC3\xA9"});
    EXPECT_EQ(out, "before*4\r\n$3\r\nSET\r\n$3\r\nk\r\n\r\n$0\r\n\r\n$2\r\n\xC3\xA9\r\n");
}

TEST(ReplyReader, Any_segmentation_gives_the_same_replies) {
    for (const Sample& sample : samples()) {
        const std::string_view all = sample.bytes;
        EXPECT_EQ(read({all}), sample.replies) << all;
        std::vector<std::string_view> octets;
        for (std::size_t i = 0; i < all.size(); ++i) octets.push_back(all.substr(i, 1));
        EXPECT_EQ(read(octets), sample.replies) << all;
        for (std::size_t i = 0; i <= all.size(); ++i) {
            for (std::size_t j = i; j <= all.size(); ++j) {
                EXPECT_EQ(read({all.substr(0, i), all.substr(i, j - i), all.substr(j)}), sample.replies)
                    << all << " cut at " << i << ", " << j;
            }
        }
    }
}

TEST(ReplyReader, An_unfinished_reply_is_no_reply) {
    for (const Sample& sample : samples()) {
        const std::string_view all = sample.bytes;
        ReplyReader reader;
        ASSERT_TRUE(reader.feed(all.substr(0, all.size() - 1)));
        std::size_t complete = 0;
        for (auto reply = reader.next(); reply && *reply; reply = reader.next()) ++complete;
        EXPECT_EQ(complete + 1, sample.replies.size()) << all;
    }
}

TEST(ReplyReader, Hostile_octets_are_refused_in_any_segmentation) {
    const std::string deep = "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n";
    for (const std::string& bytes : std::vector<std::string>{"*1000000000\r\n",
                                                             "*1025\r\n",
                                                             "*-2\r\n",
                                                             "*-10\r\n",
                                                             "*--1\r\n",
                                                             "*\r\n",
                                                             "*-\r\n",
                                                             "*1 \r\n",
                                                             "*+1\r\n",
                                                             "*99999999999999999999999\r\n",
                                                             "$16777217\r\n",
                                                             "$1000000000\r\n",
                                                             "$-2\r\n",
                                                             "$-\r\n",
                                                             "$\r\n",
                                                             "$1x\r\n",
                                                             "$18446744073709551616\r\n",
                                                             "$1\r\nab\r\n",
                                                             "$1\r\na\n\r\n",
                                                             "$0\r\nx\r\n",
                                                             ":\r\n",
                                                             ":-\r\n",
                                                             ":1.5\r\n",
                                                             ":1-\r\n",
                                                             ":12345678901234567890123\r\n",
                                                             "HTTP/1.1 400 Bad Request\r\n",
                                                             "%1\r\n+a\r\n+b\r\n",
                                                             "_\r\n",
                                                             "#t\r\n",
                                                             ">1\r\n+a\r\n",
                                                             "\r\n",
                                                             "\n",
                                                             " ",
                                                             std::string("\0", 1),
                                                             "\xff",
                                                             "+a\n",
                                                             "+a\rb\r\n",
                                                             "-a\n",
                                                             ":1\n",
                                                             "*1\n",
                                                             "+OK\r\n*1000000000\r\n",
                                                             "*2\r\n:1\r\nx",
                                                             deep}) {
        std::vector<std::string_view> octets;
        for (std::size_t i = 0; i < bytes.size(); ++i) octets.push_back(std::string_view(bytes).substr(i, 1));
        EXPECT_EQ(read(octets).back(), "error") << bytes;
        EXPECT_EQ(read({bytes}).back(), "error") << bytes;
    }
}

TEST(ReplyReader, Limits_are_allowed_up_to_their_value) {
    std::string array = "*1024\r\n";
    for (int i = 0; i < 1024; ++i) array += ":1\r\n";
    EXPECT_EQ(read({array}).size(), 1U);
    std::string big = "$16777216\r\n" + std::string(16 << 20, 'x') + "\r\n";
    EXPECT_EQ(read({big}).front().size(), (16U << 20) + 2);
    EXPECT_EQ(read({"+" + std::string(16 << 10, 'x') + "\r\n"}).front().size(), (16U << 10) + 1);
    EXPECT_EQ(read({"+" + std::string((16 << 10) + 1, 'x')}).front(), "error");
}

TEST(ReplyReader, One_reply_is_bounded_as_a_whole) {
    std::string many = "*1024\r\n"; // 1,024 × 1,024 integers would cost a hundred times their octets
    std::string row = "*1024\r\n";
    for (int i = 0; i < 1024; ++i) row += ":1\r\n";
    for (int i = 0; i < 64; ++i) many += row;
    EXPECT_EQ(read({many}).back(), "error");
    const std::string bulk = "$16777216\r\n" + std::string(16 << 20, 'x') + "\r\n";
    EXPECT_EQ(read({"*5\r\n", bulk, bulk, bulk, bulk}).back(), "error");
}

TEST(ReplyReader, After_an_error_nothing_more_is_read) {
    ReplyReader reader;
    ASSERT_TRUE(reader.feed("+a\r\n"));
    ASSERT_FALSE(reader.feed("?"));
    EXPECT_FALSE(reader.feed("+b\r\n"));
    EXPECT_FALSE(reader.next());
}

TEST(ReplyReader, A_reader_may_go_away_in_the_middle_of_a_reply) {
    ReplyReader reader;
    ASSERT_TRUE(reader.feed("*3\r\n$1\r\na\r\n*2\r\n:1\r\n"));
    const auto reply = reader.next();
    ASSERT_TRUE(reply);
    EXPECT_FALSE(*reply);
}

} // namespace
} // namespace tollgate::redis
