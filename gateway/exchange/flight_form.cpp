#include "gateway/exchange/flight_form.hpp"

#include "gateway/api/replay/stream_assembler.hpp"
#include "gateway/http/sse.hpp"

namespace tollgate::exchange {
namespace {

// JSON says the same in no more octets than events do, but for what joins its parts.
constexpr std::size_t kRoom = 64 * 1024;

} // namespace

std::optional<std::string> completion_of(api::replay::Dialect dialect, const cache::Flight::Reading& log) {
    if (!log.head || log.first != 0 || log.end != cache::FlightEnd::complete) return std::nullopt;
    std::size_t octets = 0;
    for (const auto& segment : log.segments) octets += segment->size();
    if (log.head->form == cache::FlightForm::json) {
        std::string body;
        body.reserve(octets);
        for (const auto& segment : log.segments) body += *segment;
        return body;
    }
    api::replay::StreamAssembler assembler(dialect, octets + log.usage.size() + kRoom);
    http::SseSplitter splitter;
    std::string scratch;
    const auto on_event = [&](std::string_view event) {
        const std::string_view data = http::sse_data(event, scratch);
        if (data.starts_with("[DONE]") && !log.usage.empty()) assembler.feed(log.usage);
        if (!data.empty()) assembler.feed(data);
    };
    for (const auto& segment : log.segments) {
        if (!splitter.feed(*segment, on_event)) return std::nullopt;
    }
    return assembler.finish();
}

} // namespace tollgate::exchange
