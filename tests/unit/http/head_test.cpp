#include "gateway/http/body_reader.hpp"
#include "gateway/http/codec.hpp"
#include "gateway/http/head_scanner.hpp"
#include "tests/support/fake_transport.hpp"
#include "tests/support/run_coro.hpp"
#include "tests/unit/http/conversation.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace tollgate::http {
namespace {

using test::FakeConnection;
using test::run_coro;
using test::visible;

// The scanner's verdict when the octets grow one by one: length, status of the refusal, or 0 if it waits.
struct Verdict {
    std::size_t length = 0;
    int refused = 0;
    std::size_t at = 0; // octets it had seen when it decided
};

Verdict scan_growing(HeadScanner& scanner, std::string_view octets, std::size_t step) {
    for (std::size_t n = std::min(step, octets.size());; n = std::min(n + step, octets.size())) {
        const auto found = scanner.scan(octets.substr(0, n));
        if (!found) return {0, found.error().status, n};
        if (*found) return {**found, 0, n};
        if (n == octets.size()) return {};
    }
}

TEST(HeadScanner, headAtItsLimits_isAcceptedAndOneMoreRefused) {
    const auto head = [](std::size_t target, std::size_t value, std::size_t fields) {
        std::string out = "GET /" + std::string(target, 'a') + " HTTP/1.1\r\nX: " + std::string(value, 'x') + "\r\n";
        for (std::size_t i = 1; i < fields; ++i) out += "Y: z\r\n";
        return out + "\r\n";
    };
    const std::size_t target = 8 * 1024 - 14; // "GET /" and " HTTP/1.1"
    const std::size_t value = 8 * 1024 - 3;
    const std::string full = head(target, value, 100);
    for (const std::size_t step : {std::size_t{1}, std::size_t{1000}, full.size() + 100}) {
        const auto refused = [step](const std::string& text) {
            HeadScanner scanner(kRequestLimits);
            return scan_growing(scanner, text, step).refused;
        };
        HeadScanner scanner(kRequestLimits);
        EXPECT_EQ(scan_growing(scanner, full, step).length, full.size()) << step;
        EXPECT_EQ(refused(head(target + 1, 1, 1)), 414) << step;
        EXPECT_EQ(refused(head(1, value + 1, 1)), 431) << step;
        EXPECT_EQ(refused(head(1, 1, 101)), 431) << step;
        std::string large = "GET / HTTP/1.1\r\n";
        for (int i = 0; i < 5; ++i) large += "X: " + std::string(7000, 'x') + "\r\n";
        EXPECT_EQ(refused(large + "\r\n"), 431) << step;
    }
}

// Found by fuzzing: the line that ends the head was not counted, so a head was refused or not depending on its cuts.
TEST(HeadScanner, totalLimit_doesNotDependOnTheCuts) {
    for (const std::size_t total : {kRequestLimits.total, kRequestLimits.total + 1, kRequestLimits.total + 2}) {
        std::string head = "GET / HTTP/1.1\r\n";
        while (head.size() + 4100 < total) head += "X: " + std::string(4000, 'x') + "\r\n";
        head += "Y: " + std::string(total - head.size() - 7, 'y') + "\r\n\r\n";
        ASSERT_EQ(head.size(), total);
        for (const std::size_t step : {std::size_t{1}, std::size_t{2}, head.size()}) {
            HeadScanner scanner(kRequestLimits);
            const Verdict verdict = scan_growing(scanner, head, step);
            if (total == kRequestLimits.total)
                EXPECT_EQ(verdict.length, total) << step;
            else
                EXPECT_EQ(verdict.refused, 431) << total << " by " << step;
        }
    }
}

TEST(HeadScanner, refusals_comeBeforeTheLineEnds) {
    const auto at = [](const std::string& text) {
        HeadScanner scanner(kRequestLimits);
        return scan_growing(scanner, text + std::string(40000, 'a'), 1).at;
    };
    EXPECT_EQ(at("\x16\x03\x01"), 1U);
    EXPECT_EQ(at("GET / HTTP/1.1\r\nX: \x01"), 20U);
    EXPECT_LE(at("GET /"), 8U * 1024 + 2);
    EXPECT_LE(at("GET / HTTP/1.1\r\nX: "), 8U * 1024 + 20);
}

TEST(HeadScanner, leadingEmptyLines_areCountedAndLeftOut) {
    for (const std::size_t lines : {0U, 1U, 2U}) {
        std::string text;
        for (std::size_t i = 0; i < lines; ++i) text += "\r\n";
        HeadScanner scanner(kRequestLimits);
        const Verdict got = scan_growing(scanner, text + "GET / HTTP/1.1\r\n\r\nrest", 1);
        EXPECT_EQ(got.length, text.size() + 18) << lines;
        EXPECT_EQ(scanner.leading(), text.size()) << lines;
    }
    HeadScanner scanner(kRequestLimits);
    EXPECT_EQ(scan_growing(scanner, "\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", 1).refused, 400);
}

TEST(HeadScanner, reset_startsANewMessage) {
    HeadScanner scanner(kRequestLimits);
    const std::string first = "\r\nGET /one HTTP/1.1\r\nA: b\r\n\r\n";
    ASSERT_EQ(scan_growing(scanner, first, 3).length, first.size());
    scanner.reset();
    const std::string second = "GET /two HTTP/1.1\r\n\r\n";
    ASSERT_EQ(scan_growing(scanner, second, 3).length, second.size());
    EXPECT_EQ(scanner.leading(), 0U);
}

TEST(RequestHead, facts_areReadFromTheHead) {
    RequestHead head;
    const std::string text =
        "POST http://A:80/v1/x?k=1&l HTTP/1.1\r\nHost: a:80\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n";
    const auto ok = parse_request_head(text, head);
    ASSERT_TRUE(ok) << ok.error().reason;
    EXPECT_EQ(head.method, "POST");
    EXPECT_EQ(head.target, "/v1/x?k=1&l");
    EXPECT_EQ(head.path, "/v1/x");
    EXPECT_EQ(head.query, "k=1&l");
    EXPECT_EQ(head.content_length, 3U);
    EXPECT_EQ(head.framing, Framing::length);
    EXPECT_TRUE(head.expect_continue);
    EXPECT_TRUE(head.keep_alive);
    EXPECT_EQ(head.find("EXPECT"), "100-Continue");

    const std::string next = "GET /y HTTP/1.0\r\n\r\n"; // the same object, as on one connection
    ASSERT_TRUE(parse_request_head(next, head));
    EXPECT_EQ(head.query, "");
    EXPECT_EQ(head.framing, Framing::none);
    EXPECT_EQ(head.content_length, 0U);
    EXPECT_FALSE(head.expect_continue);
    EXPECT_FALSE(head.keep_alive);
}

TEST(RequestHead, expectWithoutBody_waitsForNothing) {
    RequestHead head;
    ASSERT_TRUE(parse_request_head("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", head));
    EXPECT_FALSE(head.expect_continue);
}

// --- BodyReader
// -------------------------------------------------------------------------------------------------------

struct Body {
    std::string octets;
    bool complete = false, failed = false, malformed = false;
};

Task<Body> read_whole(net::Channel& channel, Framing framing, std::uint64_t length) {
    BodyReader reader(channel, framing, length);
    Body out;
    while (!reader.complete() && !reader.failed()) out.octets += co_await reader.next();
    EXPECT_EQ(reader.next_now(), "");
    out.complete = reader.complete();
    out.failed = reader.failed();
    out.malformed = reader.malformed().has_value();
    co_return out;
}

Body read_body(const test::Segments& segments, Framing framing, std::uint64_t length, std::string* left = nullptr) {
    FakeConnection connection;
    connection.peer->send_all(segments);
    connection.peer->end();
    Body out = run_coro(connection.io, read_whole(*connection.channel, framing, length));
    if (left != nullptr) *left = connection.channel->data();
    return out;
}

TEST(BodyReader, length_takesExactlyItsOctets) {
    std::string left;
    const Body got = read_body({"hel", "loGET"}, Framing::length, 5, &left);
    EXPECT_EQ(got.octets, "hello");
    EXPECT_TRUE(got.complete && !got.failed);
    EXPECT_EQ(left, "GET");
}

TEST(BodyReader, lengthCutShort_fails_case283) {
    const Body got = read_body({"hi"}, Framing::length, 10);
    EXPECT_EQ(got.octets, "hi");
    EXPECT_TRUE(got.failed && !got.complete && !got.malformed);
}

TEST(BodyReader, untilClose_endsWithTheConnection_case282) {
    const Body got = read_body({"one", "two"}, Framing::until_close, 0);
    EXPECT_EQ(got.octets, "onetwo");
    EXPECT_TRUE(got.complete && !got.failed);
}

TEST(BodyReader, untilCloseReset_isNoEnd) {
    FakeConnection connection;
    connection.peer->send("one");
    connection.peer->fail(asio::error::connection_reset);
    const Body got = run_coro(connection.io, read_whole(*connection.channel, Framing::until_close, 0));
    EXPECT_EQ(got.octets, "one");
    EXPECT_TRUE(got.failed && !got.complete);
}

TEST(BodyReader, chunkedWithoutLastChunk_fails_case284) {
    const Body got = read_body({"5\r\nhello\r\n"}, Framing::chunked, 0);
    EXPECT_EQ(got.octets, "hello");
    EXPECT_TRUE(got.failed && !got.complete && !got.malformed);
}

TEST(BodyReader, garbageChunkSize_isMalformed_case285) {
    const Body got = read_body({"5\r\nhello\r\n", "zz\r\n"}, Framing::chunked, 0);
    EXPECT_EQ(got.octets, "hello");
    EXPECT_TRUE(got.failed && got.malformed && !got.complete);
}

TEST(BodyReader, noBody_isCompleteAndTakesNothing) {
    std::string left;
    EXPECT_TRUE(read_body({"GET"}, Framing::none, 7, &left).complete);
    EXPECT_TRUE(read_body({"GET"}, Framing::length, 0, &left).complete);
}

// Chunks that arrived together leave together: one piece, one write.
TEST(BodyReader, chunksOfOneRead_areOnePiece) {
    FakeConnection connection;
    connection.peer->send("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nnext");
    BodyReader reader(*connection.channel, Framing::chunked, 0);
    const auto piece = run_coro(connection.io, reader.next());
    EXPECT_EQ(piece, "abcde");
    EXPECT_TRUE(reader.complete());
    EXPECT_EQ(reader.next_now(), "");
    EXPECT_EQ(connection.channel->data(), "next");
}

// What the message's end takes up is gone when the end was read, whether it came with octets or alone.
TEST(BodyReader, lastChunkAlone_leavesNothingBehind) {
    FakeConnection connection;
    connection.peer->send("2\r\nhi\r\n");
    connection.peer->send("0\r\n\r\n");
    BodyReader reader(*connection.channel, Framing::chunked, 0);
    EXPECT_EQ(run_coro(connection.io, reader.next()), "hi");
    EXPECT_FALSE(reader.complete());
    EXPECT_EQ(run_coro(connection.io, reader.next()), "");
    EXPECT_TRUE(reader.complete());
    EXPECT_EQ(connection.channel->data(), "");
}

TEST(BodyReader, largeRandomBodies_surviveAnyCut) {
    std::mt19937 random(3);
    for (int round = 0; round < 30; ++round) {
        std::string plain;
        std::string octets;
        while (plain.size() < 300 * 1024) {
            const std::string data(1 + random() % 40000, static_cast<char>('a' + random() % 26));
            octets += fmt::format("{:x}{}\r\n", data.size(), random() % 2 == 0 ? "" : ";e=1") + data + "\r\n";
            plain += data;
        }
        octets += "0\r\n\r\n";
        test::Segments segments;
        for (std::size_t at = 0; at < octets.size();) {
            const std::size_t n = std::min<std::size_t>(octets.size() - at, 1 + random() % 70000);
            segments.push_back(octets.substr(at, n));
            at += n;
        }
        const Body got = read_body(segments, Framing::chunked, 0);
        ASSERT_TRUE(got.complete) << round;
        ASSERT_EQ(got.octets.size(), plain.size()) << round;
        ASSERT_TRUE(got.octets == plain) << round;
    }
}

} // namespace
} // namespace tollgate::http
