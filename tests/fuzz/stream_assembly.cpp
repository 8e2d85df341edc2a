// A stream put together as a completion: the same under any cuts, JSON within the cap, and one that can be told again
// is the same once more.
#include "gateway/api/replay/fitness.hpp"
#include "gateway/api/replay/json_text.hpp"
#include "gateway/api/replay/replay.hpp"
#include "gateway/api/replay/stream_assembler.hpp"
#include "gateway/http/sse.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <boost/json.hpp>

namespace tollgate::fuzz {
namespace {

namespace replay = api::replay;

constexpr std::size_t kCap = 4096;
constexpr replay::Identity kIdentity{.token = "again", .now = 7};

std::optional<std::string> assemble(replay::Dialect dialect, std::string_view stream, Cut cut, std::size_t cap) {
    replay::StreamAssembler assembler(dialect, cap);
    http::SseSplitter splitter;
    std::string scratch;
    for (const std::string_view piece : pieces(stream, cut)) {
        const bool fits = splitter.feed(piece, [&](std::string_view event) {
            assembler.feed(http::sse_data(event, scratch));
            require(assembler.held() <= cap, "more is held than allowed");
        });
        if (!fits) return std::nullopt;
    }
    return assembler.finish();
}

// Whatever the walk accepts, another parser accepts, but for what the walk leaves to others: lone surrogates, UTF-8.
void check_json(std::string_view text) {
    std::string paired;
    while (!text.empty()) {
        const std::string_view character = text.substr(0, replay::character_length(text));
        const bool lone = character.size() == 6 && replay::unescape(character) == "\xEF\xBF\xBD";
        paired += lone ? std::string_view("?") : character;
        text.remove_prefix(character.size());
    }
    boost::json::error_code error;
    boost::json::parse_options options;
    options.allow_invalid_utf8 = true;
    options.max_depth = 64;
    (void)boost::json::parse(paired, error, {}, options);
    require(!error || error == boost::json::error::exponent_overflow, "an assembled completion is not JSON");
}

void check_dialect(replay::Dialect dialect, std::string_view input) {
    const auto whole = assemble(dialect, input, Cut::whole, kCap);
    for (const Cut cut : kCuts) require(assemble(dialect, input, cut, kCap) == whole, "the cuts change the completion");
    if (!whole) return;
    require(whole->size() <= kCap, "a completion over the cap");
    check_json(*whole);
    const auto renewed = replay::as_json(dialect, *whole, kIdentity);
    require(renewed.has_value(), "an assembled completion cannot be told as JSON");
    check_json(*renewed);
    // A part that names a member twice, say, is passed on whole and kept by nobody.
    if (replay::unfit(dialect, *whole, true) == "unreadable") return;
    const auto events = replay::as_events(dialect, *whole, kIdentity, true);
    if (!events) return;
    const auto again = assemble(dialect, *events, Cut::whole, 64 * kCap);
    require(again.has_value(), "told events cannot be put together");
    const auto once_more = replay::as_events(dialect, *again, kIdentity, true);
    require(once_more.has_value(), "what was told once cannot be told twice");
    require(assemble(dialect, *once_more, Cut::whole, 64 * kCap) == again, "telling twice changes the completion");
}

} // namespace

void stream_assembly(std::string_view input) {
    for (const auto dialect : {replay::Dialect::chat, replay::Dialect::completion, replay::Dialect::response})
        check_dialect(dialect, input);
}

} // namespace tollgate::fuzz
