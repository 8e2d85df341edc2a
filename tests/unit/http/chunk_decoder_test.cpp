#include "gateway/http/codec.hpp"
#include "tests/unit/http/conversation.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>

namespace tollgate::http {
namespace {

using test::Segments;
using test::visible;

struct Decoded {
    std::string body;
    std::size_t consumed = 0;
    int refused = 0;
    bool done = false;
    bool operator==(const Decoded&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Decoded& decoded) {
    return out << "body \"" << visible(decoded.body) << "\" consumed " << decoded.consumed << " refused "
               << decoded.refused << (decoded.done ? " done" : " unfinished");
}

// Octets arrive segment by segment; the decoder is asked until it consumes nothing, as its contract says.
Decoded decode(const Segments& segments) {
    ChunkDecoder decoder;
    Decoded out;
    std::string waiting;
    for (const std::string& segment : segments) {
        waiting += segment;
        for (;;) {
            const auto step = decoder.step(waiting);
            if (!step) {
                out.refused = step.error().status;
                return out;
            }
            if (step->consumed == 0) break;
            out.body += step->data;
            out.consumed += step->consumed;
            waiting.erase(0, step->consumed);
        }
    }
    out.done = decoder.done();
    return out;
}

Decoded decode(std::string_view octets) {
    return decode(test::whole(octets));
}

// Beast's opinion of the same octets; nothing if it refuses or waits for more.
std::optional<std::string> beast_body(std::string_view octets) {
    namespace beast = boost::beast::http;
    beast::request_parser<beast::string_body> parser;
    parser.eager(true);
    const std::string text = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(octets);
    boost::system::error_code error;
    std::size_t used = 0;
    while (!parser.is_done() && used < text.size()) {
        const std::size_t n = parser.put(boost::asio::buffer(text.data() + used, text.size() - used), error);
        used += n;
        if (error || n == 0) return std::nullopt;
    }
    if (!parser.is_done()) return std::nullopt;
    return parser.get().body();
}

class Writer {
  public:
    explicit Writer(std::mt19937& random) : random_(random) {}

    std::string chunked_body(std::string& plain) {
        std::string out;
        plain.clear();
        for (unsigned chunks = random_() % 6; chunks > 0; --chunks) {
            std::string data(1 + random_() % 40, '\0');
            for (char& c : data) c = static_cast<char>(random_() % 256);
            out += size_line(data.size()) + "\r\n" + data + "\r\n";
            plain += data;
        }
        out += random_() % 2 == 0 ? "0" : "000";
        out += extension() + "\r\n";
        if (random_() % 3 == 0) out += "X-Trailer: value\r\n";
        return out + "\r\n";
    }

  private:
    std::string size_line(std::size_t size) {
        const std::string digits = random_() % 2 == 0 ? fmt::format("{:x}", size) : fmt::format("{:04X}", size);
        return digits + extension();
    }
    std::string extension() {
        static const std::vector<std::string> kForms{"",           "",    "",          ";a",    ";a=b",
                                                     ";a=\"x;y\"", " ;a", "\t; a = b", ";a;b=c"};
        return kForms[random_() % kForms.size()];
    }
    std::mt19937& random_;
};

TEST(ChunkDecoder, randomValidBodies_decodeAsBeastDoes) {
    std::mt19937 random(1);
    Writer writer(random);
    for (int round = 0; round < 3000; ++round) {
        std::string plain;
        const std::string octets = writer.chunked_body(plain);
        const Decoded got = decode(octets);
        ASSERT_TRUE(got.done) << visible(octets) << '\n' << got;
        ASSERT_EQ(got.body, plain) << visible(octets);
        ASSERT_EQ(got.consumed, octets.size()) << visible(octets);
        ASSERT_EQ(beast_body(octets), plain) << visible(octets);
        for (const Segments& segments :
             {test::octet_by_octet(octets), test::split_crlf(octets), test::split_randomly(octets, random)})
            ASSERT_EQ(decode(segments), got) << visible(octets);
    }
}

// Never more lenient than Beast, and never of another opinion about the body.
TEST(ChunkDecoder, mutatedBodies_areDecodedAlikeInEveryCutAndNeverLenient) {
    std::mt19937 random(2);
    Writer writer(random);
    static constexpr std::string_view kSpice{"\r\n\t ;=\"0a5\x00\xff", 12};
    int accepted = 0;
    for (int round = 0; round < 20000; ++round) {
        std::string plain;
        std::string octets = writer.chunked_body(plain);
        for (unsigned i = 1 + random() % 2; i > 0; --i) {
            const std::size_t at = random() % octets.size();
            const char spice = kSpice[random() % kSpice.size()];
            if (random() % 2 == 0)
                octets[at] = spice;
            else
                octets.insert(at, 1, spice);
        }
        const Decoded got = decode(octets);
        for (const Segments& segments : {test::octet_by_octet(octets), test::split_randomly(octets, random)}) {
            const Decoded cut = decode(segments);
            ASSERT_EQ(cut.done, got.done) << visible(octets) << '\n' << got << '\n' << cut;
            if (got.done) ASSERT_EQ(cut, got) << visible(octets);
            if (got.refused != 0) ASSERT_EQ(cut.refused, got.refused) << visible(octets);
        }
        if (!got.done) continue;
        ++accepted;
        ASSERT_EQ(beast_body(std::string_view(octets).substr(0, got.consumed)), got.body) << visible(octets) << '\n'
                                                                                          << got;
    }
    EXPECT_GT(accepted, 1000) << "the mutations refuse everything: nothing was compared";
}

// A step that consumes nothing means "more octets are needed": the reader waits for them.
TEST(ChunkDecoder, sizeLineCutBeforeExtension_consumesAtOnce) {
    ChunkDecoder decoder;
    ASSERT_EQ(decoder.step("5")->consumed, 1U);
    const auto step = decoder.step(";a=b\r\nhello\r\n0\r\n\r\n");
    ASSERT_TRUE(step);
    EXPECT_GT(step->consumed, 0U);
    EXPECT_EQ(decode(Segments{"5", ";a=b\r\nhello\r\n0\r\n\r\n"}).body, "hello");
}

TEST(ChunkDecoder, octetsAfterTheEnd_areNotConsumed) {
    const Decoded got = decode("0\r\n\r\nGET / HTTP/1.1\r\n");
    EXPECT_TRUE(got.done);
    EXPECT_EQ(got.consumed, 5U);
}

TEST(ChunkDecoder, sizeDigits_areBoundedAtSixteen) {
    EXPECT_EQ(decode("0000000000000005\r\nhello\r\n0\r\n\r\n").body, "hello");
    EXPECT_EQ(decode("00000000000000005\r\nhello\r\n0\r\n\r\n").refused, 400);
    EXPECT_EQ(decode("ffffffffffffffff\r\nx").refused, 413);
    EXPECT_EQ(decode("10000000000\r\nx").body, "x"); // 1 TiB: the body cap decides, not the decoder
    EXPECT_EQ(decode("10000000001\r\nx").refused, 413);
}

TEST(ChunkDecoder, extensions_areBoundedPerMessage) {
    const auto body = [](std::size_t each, int times) {
        std::string out;
        for (int i = 0; i < times; ++i) out += "1;" + std::string(each - 1, 'a') + "\r\nx\r\n";
        return out + "0\r\n\r\n";
    };
    EXPECT_TRUE(decode(body(4096, 1)).done);
    EXPECT_EQ(decode(body(4097, 1)).refused, 400);
    EXPECT_TRUE(decode(body(1024, 4)).done);
    EXPECT_EQ(decode(body(1024, 5)).refused, 400);
}

TEST(ChunkDecoder, trailers_areBoundedTogether) {
    const std::string line = "X: " + std::string(1019, 'v') + "\r\n"; // 1,024 octets
    const auto body = [&line](int lines) {
        std::string out = "0\r\n";
        for (int i = 0; i < lines; ++i) out += line;
        return out + "\r\n";
    };
    EXPECT_TRUE(decode(body(15)).done);
    EXPECT_EQ(decode(body(16)).refused, 431);
    EXPECT_EQ(decode("0\r\n" + std::string(17000, 'a')).refused, 431); // a line that never ends
}

TEST(ChunkDecoder, malformedExtensions_areRefused) {
    for (const std::string extension : {";", ";;", "; ", ";=b", ";a=", ";a=\"", ";a=\"b", ";a=\"b\\\"", ";a=b c",
                                        ";a=\"b\"c", " ", "g", ";a ", ";a=\"\x80\"", ";a=\x01", ";(a)"})
        EXPECT_EQ(decode("1" + extension + "\r\nx\r\n0\r\n\r\n").refused, 400) << visible(extension);
}

TEST(ChunkDecoder, malformedTrailers_areRefused) {
    for (const std::string line : {"X", ": v", " X: v", "X : v", "X: v\r", "X: \x01", "X\x80: v"})
        EXPECT_EQ(decode("0\r\n" + line + "\r\n\r\n").refused, 400) << visible(line);
    EXPECT_EQ(decode("0\r\nX: v\n\r\n").refused, 400);
    EXPECT_EQ(decode("0\r\n\n").refused, 400);
}

} // namespace
} // namespace tollgate::http
