#include "gateway/http/codec.hpp"
#include "tests/unit/http/conversation.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace tollgate::http {

void PrintTo(Framing framing, std::ostream* out) {
    *out << (framing == Framing::none      ? "none"
             : framing == Framing::length  ? "length"
             : framing == Framing::chunked ? "chunked"
                                           : "until_close");
}

namespace {

using test::visible;

// Owns the text the head's views point into.
struct Parsed {
    std::string text;
    ResponseHead head;
    bool ok = false;
    std::string reason;
};

// As an upstream connection is read: scanner under the response limits, then the parser.
Parsed parse(const std::string& text, bool to_head = false) {
    Parsed out;
    out.text = text;
    HeadScanner scanner(kResponseLimits);
    const auto found = scanner.scan(out.text);
    if (!found || !*found) {
        out.reason = found ? "incomplete" : std::string(found.error().reason);
        return out;
    }
    const auto parsed = parse_response_head(
        std::string_view(out.text).substr(scanner.leading(), **found - scanner.leading()), to_head, out.head);
    out.ok = parsed.has_value();
    if (!parsed) out.reason = parsed.error().reason;
    return out;
}

std::string answer(const std::string& fields, const std::string& status_line = "HTTP/1.1 200 OK") {
    return status_line + "\r\n" + fields + "\r\n";
}

#define EXPECT_REFUSED(text)                                                                                           \
    do {                                                                                                               \
        const std::string octets = (text);                                                                             \
        EXPECT_FALSE(parse(octets).ok) << visible(octets);                                                             \
    } while (false)

TEST(ResponseHead, statusLineVariants_case278) {
    for (const std::string line :
         {"HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.1 200 OK", "HTTP/1.1 200 All is \xFC\xFF well"}) {
        const Parsed got = parse(answer("Content-Length: 2\r\n", line));
        EXPECT_TRUE(got.ok) << visible(line) << ": " << got.reason;
        EXPECT_EQ(got.head.status, 200) << visible(line);
        EXPECT_EQ(got.head.content_length, 2U) << visible(line);
    }
}

TEST(ResponseHead, malformedStatusLines_areRefused) {
    for (const std::string line :
         {"HTTP/1.1 2000 OK", "HTTP/1.1 20 OK", "HTTP/1.1  200 OK", "HTTP/1.1\t200 OK", "HTTP/1.2 200 OK", "HTTP/2 200",
          "http/1.1 200 OK", "ICY 200 OK", "HTTP/1.1 +20 OK", "HTTP/1.1 200OK", "HTTP/1.1 200 O\x01K"})
        EXPECT_REFUSED(answer("", line));
}

TEST(ResponseHead, statusOutOfRange_case293) {
    for (const std::string status : {"099", "000", "600", "999"})
        EXPECT_REFUSED(answer("", "HTTP/1.1 " + status + " X"));
    EXPECT_TRUE(parse(answer("", "HTTP/1.1 599 X")).ok);
}

TEST(ResponseHead, ambiguousFraming_cases279to281and301) {
    EXPECT_REFUSED(answer("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"));
    EXPECT_REFUSED(answer("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"));
    EXPECT_REFUSED(answer("Transfer-Encoding: identity\r\n"));
    EXPECT_REFUSED(answer("Transfer-Encoding: gzip, chunked\r\n"));
    EXPECT_REFUSED(answer("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"));
    EXPECT_REFUSED(answer("Content-Length: 5\r\nContent-Length: 6\r\n"));
    EXPECT_REFUSED(answer("Content-Length: 5x\r\n"));
    EXPECT_REFUSED(answer("Content-Length: 9223372036854775808\r\n"));
    EXPECT_REFUSED(answer("Transfer-Encoding: chunked\r\n", "HTTP/1.0 200 OK"));
}

TEST(ResponseHead, bodyWithoutLength_lastsUntilCloseAndIsNeverReused_case282) {
    const Parsed got = parse(answer("Connection: keep-alive\r\n"));
    ASSERT_TRUE(got.ok) << got.reason;
    EXPECT_EQ(got.head.framing, Framing::until_close);
    EXPECT_FALSE(got.head.keep_alive);
}

TEST(ResponseHead, bodilessAnswers_haveNoBodyWhateverTheySay_case288) {
    for (const std::string status : {"204 No Content", "304 Not Modified"}) {
        for (const std::string fields : {"", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"}) {
            const Parsed got = parse(answer(fields, "HTTP/1.1 " + status));
            EXPECT_TRUE(got.ok) << status << ' ' << visible(fields) << ": " << got.reason;
            EXPECT_EQ(got.head.framing, Framing::none) << status << ' ' << visible(fields);
            EXPECT_TRUE(got.head.keep_alive);
        }
    }
    const Parsed to_head = parse(answer("Content-Length: 5\r\n"), true);
    ASSERT_TRUE(to_head.ok) << to_head.reason;
    EXPECT_EQ(to_head.head.framing, Framing::none);
    EXPECT_EQ(to_head.head.content_length, 5U);
}

TEST(ResponseHead, interimAnswers_cases289to292) {
    for (const std::string status : {"100 Continue", "103 Early Hints", "101 Switching Protocols"}) {
        const Parsed got = parse(answer("Link: </a>\r\n", "HTTP/1.1 " + status));
        ASSERT_TRUE(got.ok) << status << ": " << got.reason;
        EXPECT_EQ(got.head.framing, Framing::none) << status;
        EXPECT_EQ(got.head.status, std::stoi(status)) << status;
    }
    EXPECT_REFUSED(answer("Content-Length: 5\r\n", "HTTP/1.1 103 Early Hints"));
    EXPECT_REFUSED(answer("Transfer-Encoding: chunked\r\n", "HTTP/1.1 100 Continue"));
    EXPECT_TRUE(parse(answer("Content-Length: 0\r\n", "HTTP/1.1 100 Continue")).ok);
}

TEST(ResponseHead, malformedFields_cases294to298) {
    EXPECT_REFUSED(answer("X: a\r\n b\r\n"));
    EXPECT_REFUSED(answer("X : a\r\n"));
    EXPECT_REFUSED(answer(std::string("X: a\0b\r\n", 8)));
    EXPECT_REFUSED(answer("X: a\x01"
                          "b\r\n"));
    EXPECT_REFUSED(answer("X: a\rb\r\n"));
    EXPECT_REFUSED("HTTP/1.1 200 OK\nX: a\n\n");
}

TEST(ResponseHead, connectionParameters_areTolerated_case296) {
    for (const std::string name : {"Connection", "Proxy-Connection"}) {
        const Parsed got = parse(answer(name + ": keep-alive;timeout=5\r\nContent-Length: 0\r\n"));
        EXPECT_TRUE(got.ok) << name << ": " << got.reason;
        EXPECT_TRUE(got.head.keep_alive) << name;
    }
    EXPECT_FALSE(parse(answer("Connection: foo, Close\r\nContent-Length: 0\r\n")).head.keep_alive);
}

TEST(ResponseHead, longHeaderLine_isToleratedUpToItsLimit_cases297and299) {
    const Parsed long_line = parse(answer("Content-Security-Policy: " + std::string(9 * 1024, 'c') + "\r\n"));
    ASSERT_TRUE(long_line.ok) << long_line.reason;
    EXPECT_EQ(long_line.head.find("content-security-policy")->size(), 9U * 1024);
    EXPECT_TRUE(parse(answer("X: " + std::string(32 * 1024 - 3, 'x') + "\r\n")).ok);
    EXPECT_REFUSED(answer("X: " + std::string(32 * 1024 - 2, 'x') + "\r\n"));
    EXPECT_REFUSED(answer("X: " + std::string(70 * 1024, 'x') + "\r\n"));
    std::string many; // 3 × 20 KiB are more than 60 KiB
    for (int i = 0; i < 3; ++i) many += "X: " + std::string(20 * 1024, 'x') + "\r\n";
    EXPECT_REFUSED(answer(many));
    std::string lines;
    for (int i = 0; i < 200; ++i) lines += "X: y\r\n";
    EXPECT_TRUE(parse(answer(lines)).ok);
    EXPECT_REFUSED(answer(lines + "X: y\r\n"));
}

TEST(ResponseHead, http10_keepsAliveOnlyIfItSaysSo_case302) {
    const Parsed kept = parse(answer("Connection: keep-alive\r\nContent-Length: 2\r\n", "HTTP/1.0 200 OK"));
    ASSERT_TRUE(kept.ok) << kept.reason;
    EXPECT_TRUE(kept.head.keep_alive);
    EXPECT_EQ(kept.head.minor, 0);
    EXPECT_FALSE(parse(answer("Content-Length: 2\r\n", "HTTP/1.0 200 OK")).head.keep_alive);
}

TEST(ResponseHead, find_isCaseInsensitiveAndTakesTheFirst) {
    const Parsed got = parse(answer("X-A: 1\r\nx-a: 2\r\nEmpty:\r\n"));
    ASSERT_TRUE(got.ok) << got.reason;
    EXPECT_EQ(got.head.find("X-a"), "1");
    EXPECT_EQ(got.head.find("empty"), "");
    EXPECT_EQ(got.head.find("absent"), std::nullopt);
}

// The head object is used again for the next message on the connection.
TEST(ResponseHead, reusedObject_forgetsTheMessageBefore) {
    ResponseHead head;
    const std::string first = answer("Content-Length: 7\r\nConnection: close\r\nX: y\r\n");
    const std::string second = answer("Transfer-Encoding: chunked\r\n");
    ASSERT_TRUE(parse_response_head(first, false, head));
    ASSERT_TRUE(parse_response_head(second, false, head));
    EXPECT_EQ(head.framing, Framing::chunked);
    EXPECT_EQ(head.content_length, 0U);
    EXPECT_TRUE(head.keep_alive);
    EXPECT_EQ(head.find("x"), std::nullopt);
}

} // namespace
} // namespace tollgate::http
