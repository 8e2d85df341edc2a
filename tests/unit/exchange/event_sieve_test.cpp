#include "gateway/exchange/event_sieve.hpp"
#include "gateway/exchange/stream_tap.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace tollgate::exchange {
namespace {

// The stream as a client gets it whose octets come in pieces of `size`, without chunks that only tell the usage.
std::string sieved(std::string_view stream, std::size_t size, bool with_end = true) {
    api::AnswerReader reader;
    Metering metering;
    StreamTap tap(api::Operation::chat, reader, TimePoint(), metering);
    EventSieve sieve;
    std::string out;
    for (std::size_t at = 0; at < stream.size(); at += size) {
        const std::string_view piece = stream.substr(at, size);
        sieve.begin(piece);
        EXPECT_TRUE(tap.feed(piece, TimePoint(), [&](const TapEvent& e) { sieve.event(e.end, !e.usage_only); }));
        out += sieve.end(with_end && at + size >= stream.size());
    }
    return out;
}

constexpr std::string_view kUsage = R"({"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7}})";

TEST(EventSieveTest, onlyTheUsageChunk_isTakenOutWhateverTheSegmentation) {
    for (const std::string eol : {"\n", "\r\n", "\r"}) {
        const std::string before =
            "\xEF\xBB\xBF: comment" + eol + eol + eol + "data: {\"choices\":[{}],\"usage\":null}" + eol + eol;
        const std::string usage = "data: " + std::string(kUsage) + eol + eol;
        const std::string after = "data: [DONE]" + eol + eol;
        for (std::size_t size = 1; size <= before.size() + usage.size() + after.size(); ++size)
            ASSERT_EQ(sieved(before + usage + after, size), before + after) << size;
    }
}

TEST(EventSieveTest, unfinishedEvent_goesOnAtTheEndOnly) {
    const std::string stream = "data: {\"choices\":[{}]}\n\ndata: {\"choi";
    for (const std::size_t size : {std::size_t{1}, std::size_t{7}, stream.size()}) {
        EXPECT_EQ(sieved(stream, size), stream);
        EXPECT_EQ(sieved(stream, size, false), "data: {\"choices\":[{}]}\n\n");
    }
}

TEST(EventSieveTest, wholeEvents_areNeverHeldBack) {
    EventSieve sieve;
    const std::string event = "data: 1\n\n";
    sieve.begin(event);
    sieve.event(event.size(), true);
    EXPECT_EQ(sieve.end(false), event);
}

// An event that others go in the place of.
TEST(EventSieveTest, aReplacedEvent_goesInItsPlaceWhateverTheSegmentation) {
    const std::string before = "data: {\"choices\":[{}]}\n\n", after = "data: [DONE]\n\n";
    const std::string stream = before + "data: " + std::string(kUsage) + "\n\n" + after;
    for (std::size_t size = 1; size <= stream.size(); ++size) {
        api::AnswerReader reader;
        Metering metering;
        StreamTap tap(api::Operation::chat, reader, TimePoint(), metering);
        EventSieve sieve;
        std::string out;
        for (std::size_t at = 0; at < stream.size(); at += size) {
            const std::string piece = stream.substr(at, size);
            sieve.begin(piece);
            EXPECT_TRUE(tap.feed(piece, TimePoint(), [&](const TapEvent& e) {
                if (e.usage_only)
                    sieve.replaced(e.end, "new");
                else
                    sieve.event(e.end, true);
            }));
            out += sieve.end(at + size >= stream.size());
        }
        ASSERT_EQ(out, before + "new" + after) << size;
    }
}

} // namespace
} // namespace tollgate::exchange
