#include "gateway/http/sse.hpp"
#include "tests/unit/http/conversation.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::http {
namespace {

using test::Segments;
using test::visible;

struct Split {
    std::vector<std::string> events;
    bool within_cap = true;
    bool mid_event = false;
    bool operator==(const Split&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Split& split) {
    for (const std::string& event : split.events) out << '[' << visible(event, 80) << "] ";
    return out << (split.mid_event ? "mid-event" : "") << (split.within_cap ? "" : "over the cap");
}

Split split(const Segments& segments) {
    SseSplitter splitter;
    Split out;
    for (const std::string& segment : segments) {
        out.within_cap = splitter.feed(segment, [&](std::string_view event) { out.events.emplace_back(event); });
        if (!out.within_cap) break;
    }
    out.mid_event = splitter.mid_event();
    return out;
}

std::vector<std::string> data_of(const Split& all) {
    std::vector<std::string> out;
    std::string scratch;
    for (const std::string& event : all.events) out.emplace_back(sse_data(event, scratch));
    return out;
}

using Strings = std::vector<std::string>;

TEST(SseSplitter, lineEndsOfEveryKind_giveTheSameData) {
    for (const std::string eol : {"\n", "\r", "\r\n"}) {
        const std::string stream = ": ping" + eol + eol + "data: one" + eol + eol + "event: x" + eol + "data:two" +
                                   eol + "data:  three" + eol + eol + "data: [DONE]" + eol + eol;
        const Split got = split(test::whole(stream));
        EXPECT_EQ(data_of(got), (Strings{"", "one", "two\n three", "[DONE]"})) << visible(eol) << ": " << got;
        EXPECT_FALSE(got.mid_event) << visible(eol);
        std::string joined;
        for (const std::string& event : got.events) joined += event;
        EXPECT_EQ(visible(joined, 2000), visible(stream, 2000)) << "events carry their blank line";
    }
}

// Streams of random lines with random line ends, cut everywhere.
TEST(SseSplitter, randomStreams_giveTheSameEventsInEveryCut) {
    std::mt19937 random(7);
    const std::vector<std::string> lines{"data: {\"a\":1}",
                                         "data:x",
                                         "data",
                                         "data: ",
                                         ": comment",
                                         "event: e",
                                         "id: 7",
                                         "retry: 1",
                                         "data: \xE2\x82\xAC",
                                         "\xEF\xBB\xBF"
                                         "data: bom",
                                         " data: no"};
    const std::vector<std::string> ends{"\n", "\r", "\r\n"};
    for (int round = 0; round < 3000; ++round) {
        std::string stream = random() % 4 == 0 ? "\xEF\xBB\xBF" : "";
        const bool mixed = random() % 2 == 0;
        const std::string& own = ends[random() % 3];
        for (unsigned i = random() % 12; i > 0; --i) {
            if (random() % 3 != 0) stream += lines[random() % lines.size()];
            stream += mixed ? ends[random() % 3] : own;
        }
        const Split expected = split(test::whole(stream));
        for (const Segments& segments :
             {test::octet_by_octet(stream), test::split_crlf(stream), test::split_randomly(stream, random)})
            ASSERT_EQ(split(segments), expected) << visible(stream, 2000);
        for (std::size_t at = 1; at < stream.size(); ++at)
            ASSERT_EQ(split({stream.substr(0, at), stream.substr(at)}), expected)
                << visible(stream, 2000) << " cut at " << at;
    }
}

TEST(SseSplitter, byteOrderMark_isLeftOutAtTheStartOnly) {
    const std::string stream = "\xEF\xBB\xBF"
                               "data: a\n\n"
                               "\xEF\xBB\xBF"
                               "data: b\n\n";
    for (const Segments& segments : {test::whole(stream), test::octet_by_octet(stream)})
        EXPECT_EQ(data_of(split(segments)), (Strings{"a", ""})) << split(segments);
}

// Found by fuzzing: the line that the mark stood on became the first, empty line of the event, which ends it for
// others.
TEST(SseSplitter, byteOrderMark_onALineOfItsOwnIsNoPartOfTheEvent) {
    for (const std::string_view end : {"\n", "\r", "\r\n"}) {
        const std::string mark = "\xEF\xBB\xBF" + std::string(end);
        for (const std::string& stream : {mark + "data: a\n\n", mark + std::string(end) + "data: a\n\n"}) {
            for (const Segments& segments : {test::whole(stream), test::octet_by_octet(stream)})
                EXPECT_EQ(split(segments).events, (Strings{"data: a\n\n"})) << split(segments);
        }
    }
}

TEST(SseSplitter, emptyLinesBetweenEvents_areNoEvents) {
    const Split got = split(test::whole("\n\r\n\rdata: a\n\n\n\n\r\ndata: b\n\n\n"));
    EXPECT_EQ(data_of(got), (Strings{"a", "b"})) << got;
    EXPECT_FALSE(got.mid_event);
}

TEST(SseSplitter, completeEvent_isToldWithoutTheNextOctet) {
    SseSplitter splitter;
    int events = 0;
    const auto count = [&](std::string_view) { ++events; };
    ASSERT_TRUE(splitter.feed("data: a\r\r", count));
    EXPECT_EQ(events, 1);
    ASSERT_TRUE(splitter.feed("data: b\n\n", count));
    EXPECT_EQ(events, 2);
    ASSERT_TRUE(splitter.feed("data: c\r\n\r\n", count));
    EXPECT_EQ(events, 3);
    EXPECT_FALSE(splitter.mid_event());
}

TEST(SseSplitter, unfinishedEvent_isMidEvent) {
    for (const std::string stream : {"data: a", "data: a\n", "data: a\r\n", "data: a\r\n\r", "data: z\n\n: p"}) {
        EXPECT_TRUE(split(test::whole(stream)).mid_event) << visible(stream);
        EXPECT_TRUE(split(test::octet_by_octet(stream)).mid_event) << visible(stream);
    }
}

// Case 308: the cap is on the event, however it arrives.
TEST(SseSplitter, eventAboveTheCap_isRefusedInEveryCut) {
    const auto stream = [](std::size_t size) { return "data: " + std::string(size - 8, 'x') + "\n\n"; };
    const auto blocks = [](const std::string& text, std::size_t size) {
        Segments out;
        for (std::size_t at = 0; at < text.size(); at += size) out.push_back(text.substr(at, size));
        return out;
    };
    for (const std::size_t block : {std::size_t{1000}, std::size_t{16 * 1024}, std::size_t{4 * 1024 * 1024}}) {
        const Split fits = split(blocks(stream(kMaxSseEvent), block));
        EXPECT_TRUE(fits.within_cap) << block;
        ASSERT_EQ(fits.events.size(), 1U) << block;
        EXPECT_EQ(fits.events[0].size(), kMaxSseEvent) << block;
        EXPECT_FALSE(split(blocks(stream(kMaxSseEvent + 1), block)).within_cap) << block;
        EXPECT_FALSE(split(blocks(std::string(kMaxSseEvent + 1, 'x'), block)).within_cap) << block;
    }
}

TEST(SseData, fields_areReadAsTheStandardSays) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"data: a\n\n", "a"},       {"data:a\n\n", "a"},
        {"data:  a\n\n", " a"},     {"data\n\n", ""},
        {"data:\n\n", ""},          {"data: a\ndata: b\n\n", "a\nb"},
        {"data\ndata\n\n", "\n"},   {"data: a\r\ndata\r\n\r\n", "a\n"},
        {"datax: a\n\n", ""},       {" data: a\n\n", ""},
        {"Data: a\n\n", ""},        {": data: a\n\n", ""},
        {"data: a: b\n\n", "a: b"}, {"id: 1\ndata: a\nevent: e\n\n", "a"},
        {"data:\ta\n\n", "\ta"},    {"", ""},
        {"data: a", "a"},           {"data: a\rdata: b\r\r", "a\nb"}};
    std::string scratch;
    for (const auto& [event, expected] : cases)
        EXPECT_EQ(visible(sse_data(event, scratch)), visible(expected)) << visible(event);
}

TEST(SseData, singleLine_isAViewIntoTheEvent) {
    const std::string event = "data: {\"a\":1}\n\n";
    std::string scratch;
    const std::string_view data = sse_data(event, scratch);
    EXPECT_EQ(data.data(), event.data() + 6);
    EXPECT_TRUE(scratch.empty());
}

} // namespace
} // namespace tollgate::http
