// Server-sent events: the same events under any cuts, nothing lost, and the data that the project's other reader of
// events (the translation's) finds in them.
#include "gateway/api/chat_answer.hpp"
#include "gateway/api/completions_via_chat.hpp"
#include "gateway/exchange/event_sieve.hpp"
#include "gateway/exchange/stream_tap.hpp"
#include "gateway/http/sse.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <boost/json.hpp>

namespace tollgate::fuzz {
namespace {

struct Split {
    std::vector<std::string> events;
    bool mid_event = false;

    bool operator==(const Split&) const = default;
};

Split split(std::string_view octets, Cut cut) {
    Split out;
    http::SseSplitter splitter;
    for (const std::string_view piece : pieces(octets, cut)) {
        const bool fits = splitter.feed(piece, [&](std::string_view event) { out.events.emplace_back(event); });
        require(fits, "an event over the cap in an input below it");
    }
    out.mid_event = splitter.mid_event();
    return out;
}

struct Observed {
    bool terminated = false, error_seen = false;
    std::optional<std::uint64_t> input, output, cached;
    std::uint64_t delivered = 0;

    bool operator==(const Observed&) const = default;
};

Observed observe(std::string_view octets, Cut cut, api::Operation operation) {
    static api::AnswerReader reader;
    exchange::Metering metering;
    exchange::StreamTap tap(operation, reader, TimePoint{}, metering);
    exchange::EventSieve sieve;
    std::string passed;
    bool fits = true;
    for (const std::string_view piece : pieces(octets, cut)) {
        sieve.begin(piece);
        fits = fits && tap.feed(piece, TimePoint{}, [&](const exchange::TapEvent& e) { sieve.event(e.end, true); });
        passed += sieve.end(false);
    }
    sieve.begin({});
    passed += sieve.end(true);
    require(!fits || passed == octets, "a sieve that takes nothing out changes the stream");
    const api::Usage& usage = metering.report;
    return {tap.terminated(), tap.error_seen(), usage.input, usage.output, usage.cached, metering.delivered.octets()};
}

bool is_blank(char c) {
    return c == '\r' || c == '\n';
}

// Without line ends, where the two may differ in nothing but empty lines between events.
std::string without_blanks(std::string_view octets) {
    std::string out;
    for (const char c : octets)
        if (!is_blank(c)) out += c;
    return out;
}

void check_event(std::string_view event) {
    require(event.size() >= 3 && is_blank(event.back()) && is_blank(event[event.size() - 2]), "no blank line ends it");
    std::string scratch;
    const std::string data(http::sse_data(event, scratch));
    std::string_view rest = event;
    const api::SseEvent other = api::take_sse_event(rest);
    require(data == other.data, "two readers find different data in one event");
    require(without_blanks(rest).empty(), "the other reader sees two events in one");
    std::string again = "data: ";
    for (const char c : data) {
        again += c;
        if (c == '\n') again += "data: ";
    }
    std::string reread;
    require(http::sse_data(again + "\n\n", reread) == data, "the data does not survive being written");
}

// What comes out of the translation is events again, each holding JSON or the end mark.
void check_translation(const std::vector<std::string>& events) {
    api::ChatStreamToCompletions translation("public-model");
    for (const std::string& event : events) {
        const auto out = translation.event(event);
        if (!out) return;
        http::SseSplitter splitter;
        const bool fits = splitter.feed(*out, [](std::string_view written) {
            std::string scratch;
            const std::string_view data = http::sse_data(written, scratch);
            if (data.empty() || data.starts_with("[DONE]")) return;
            boost::json::error_code error;
            (void)boost::json::parse(data, error);
            require(!error, "a translated event is not JSON");
        });
        require(fits && !splitter.mid_event(), "the translation's output ends inside an event");
    }
}

} // namespace

void event_stream(std::string_view input) {
    const Split whole = split(input, Cut::whole);
    for (const Cut cut : kCuts) require(split(input, cut) == whole, "other events under other cuts");
    std::string joined;
    for (const std::string& event : whole.events) {
        check_event(event);
        joined += event;
    }
    std::string_view source = input;
    if (!whole.events.empty()) { // the mark is left out of the first event wherever empty lines have put it
        const std::size_t text = source.find_first_not_of("\r\n");
        if (source.substr(text).starts_with("\xEF\xBB\xBF")) source.remove_prefix(text + 3);
    }
    const std::string expected = without_blanks(source);
    const std::string got = without_blanks(joined);
    require(expected.starts_with(got), "the events are not the stream's octets");
    if (!whole.mid_event) require(expected.size() == got.size(), "octets are lost between events");
    for (const api::Operation operation : {api::Operation::chat, api::Operation::responses}) {
        const Observed observed = observe(input, Cut::whole, operation);
        for (const Cut cut : kCuts) require(observe(input, cut, operation) == observed, "the cuts change what is seen");
    }
    check_translation(whole.events);
}

} // namespace tollgate::fuzz
