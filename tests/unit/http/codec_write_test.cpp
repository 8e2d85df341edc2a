#include "gateway/http/codec.hpp"
#include "gateway/http/grammar.hpp"
#include "tests/unit/http/conversation.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <string>

namespace tollgate::http {
namespace {

using test::visible;
using namespace std::string_literals;

TEST(AppendField, soundField_isWritten) {
    std::string out = "x";
    EXPECT_TRUE(append_field(out, "X-A", "b c\t\xFF"));
    EXPECT_TRUE(append_field(out, "Empty", ""));
    append_field(out, "N", std::numeric_limits<std::uint64_t>::max());
    append_field(out, "Zero", std::uint64_t{0});
    EXPECT_EQ(out, "xX-A: b c\t\xFF\r\nEmpty: \r\nN: 18446744073709551615\r\nZero: 0\r\n");
}

// B10: what would break the message on the way out is not written at all.
TEST(AppendField, octetsThatBreakTheMessage_areRefused) {
    for (const std::string& value : {"a\r\nSet-Cookie: e"s, "a\nb"s, "a\rb"s, "\0"s, "a\x01"s, "a\x7F"s, "a\r\n"s}) {
        std::string out = "kept";
        EXPECT_FALSE(append_field(out, "X", value)) << visible(value);
        EXPECT_EQ(out, "kept") << visible(value);
    }
    for (const std::string& name : {""s, "X A"s, "X:"s, "X\r\n"s, "X\n"s, "\0"s, "X\xE9"s, "X(y)"s, "X "s}) {
        std::string out = "kept";
        EXPECT_FALSE(append_field(out, name, "v")) << visible(name);
        EXPECT_EQ(out, "kept") << visible(name);
    }
}

TEST(ChunkHeader, sizes_areLowerCaseHexWithoutLeadingZeros) {
    char buffer[20];
    EXPECT_EQ(chunk_header(0, buffer), "0\r\n");
    EXPECT_EQ(chunk_header(10, buffer), "a\r\n");
    EXPECT_EQ(chunk_header(0x5A, buffer), "5a\r\n");
    EXPECT_EQ(chunk_header(65536, buffer), "10000\r\n");
    EXPECT_EQ(chunk_header(std::numeric_limits<std::size_t>::max(), buffer), "ffffffffffffffff\r\n");
}

TEST(ChunkHeader, ownChunks_areReadBack) {
    char buffer[20];
    const std::string body(4711, 'x');
    const std::string octets = std::string(chunk_header(body.size(), buffer)) + body + "\r\n0\r\n\r\n";
    ChunkDecoder decoder;
    std::string got;
    std::string_view rest = octets;
    while (!decoder.done()) {
        const auto step = decoder.step(rest);
        ASSERT_TRUE(step && step->consumed > 0);
        got += step->data;
        rest.remove_prefix(step->consumed);
    }
    EXPECT_EQ(got, body);
    EXPECT_TRUE(rest.empty());
}

TEST(StatusLine, statusesWeSend_haveTheirPhrase) {
    EXPECT_EQ(reason_phrase(200), "OK");
    EXPECT_EQ(reason_phrase(429), "Too Many Requests");
    EXPECT_EQ(reason_phrase(413), "Content Too Large");
    EXPECT_EQ(reason_phrase(299), "");
    std::string out;
    append_status_line(out, 502);
    append_status_line(out, 299);
    EXPECT_EQ(out, "HTTP/1.1 502 Bad Gateway\r\nHTTP/1.1 299 \r\n");
}

// Every status a refusal of ours carries says what it is.
TEST(StatusLine, refusalStatuses_areNamed) {
    for (const int status :
         {400, 401, 403, 404, 405, 408, 411, 413, 414, 415, 417, 421, 426, 429, 431, 500, 501, 502, 503, 504, 505})
        EXPECT_NE(reason_phrase(status), "") << status;
}

TEST(Grammar, hosts) {
    for (const std::string host :
         {"a", "a.b-c_d~e", "a:", "a:0", "a:65535", "[::1]", "[::1]:80", "[::ffff:1.2.3.4]:8080", "127.0.0.1:8080"})
        EXPECT_TRUE(is_host(host)) << host;
    for (const std::string host : {"", ":80", "a:65536", "a:123456", "a:80:90", "a b", "a,b", "a/b", "a@b", "a?b",
                                   "a#b", "[]", "[::1", "::1", "[::1]x", "[::1]:x", "[g::]", "a\\b", "a%20b"})
        EXPECT_FALSE(is_host(host)) << host;
    EXPECT_TRUE(is_host(std::string(255, 'a')));
    EXPECT_FALSE(is_host(std::string(256, 'a')));
}

TEST(Grammar, targets) {
    for (const std::string target : {"/", "/v1/chat/completions", "/a%20b", "/a?x=../y", "/...", "/.a", "/a.", "/..a/b",
                                     "/a;x=..", "/%e4%b8%ad", "/a?%2e%2e/", "/a:b@c!$&'()*+,;="})
        EXPECT_TRUE(is_safe_target(target)) << target;
    for (const std::string target :
         {"",        "a",           "/.",      "/..",  "/./a",   "/a/.",  "/a/..", "/a/../b", "/%2e",  "/%2E%2e/",
          "/.%2e/a", "/a%2f..%2fb", "/..;x/a", "/.;",  "/a%5cb", "/a\\b", "/a%",   "/a%2",    "/a%g0", "/a%00",
          "/a%1f",   "/a%7f",       "/%c0%af", "/%ff", "/a#b",   "/a b",  "/a\"b", "/a|b",    "/a[b]", "/a?b%0a"})
        EXPECT_FALSE(is_safe_target(target)) << target;
}

TEST(Grammar, lists) {
    EXPECT_TRUE(list_has("a, Close ,b", "close"));
    EXPECT_TRUE(list_has("close", "close"));
    EXPECT_FALSE(list_has("closed, xclose", "close"));
    EXPECT_FALSE(list_has("", "close"));
    EXPECT_TRUE(is_token_list("a, b,,c ,"));
    EXPECT_TRUE(is_token_list(""));
    EXPECT_FALSE(is_token_list("a b"));
    EXPECT_FALSE(is_token_list("a;b"));
}

} // namespace
} // namespace tollgate::http
