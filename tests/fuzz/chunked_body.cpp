// The chunked coding: the same body and the same end under any cuts, and the body that Beast reads.
#include "gateway/http/codec.hpp"
#include "tests/fuzz/beast_witness.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace tollgate::fuzz {
namespace {

struct Decoded {
    std::string body;
    std::size_t consumed = 0;
    int refused = 0; // status
    bool done = false;

    bool operator==(const Decoded&) const = default;
};

Decoded decode(std::string_view octets, Cut cut) {
    Decoded out;
    http::ChunkDecoder decoder;
    for (std::string_view piece : pieces(octets, cut)) {
        while (!piece.empty() && !decoder.done()) {
            const auto step = decoder.step(piece);
            if (!step) {
                out.refused = step.error().status;
                out.consumed = 0; // nobody may read on, wherever it stopped
                return out;
            }
            require(step->consumed > 0, "a step that takes nothing of what is there");
            require(step->consumed <= piece.size(), "more taken than there is");
            require(step->data.size() <= step->consumed, "more body than octets");
            out.body += step->data;
            out.consumed += step->consumed;
            piece.remove_prefix(step->consumed);
        }
    }
    out.done = decoder.done();
    return out;
}

std::string encode(std::string_view body, std::string_view sizes) {
    std::string out;
    for (std::size_t turn = 0; !body.empty(); ++turn) {
        const auto size = static_cast<std::size_t>(static_cast<unsigned char>(sizes[turn % sizes.size()])) + 1;
        const std::string_view piece = body.substr(0, size);
        char buffer[20];
        out += http::chunk_header(piece.size(), buffer);
        out += piece;
        out += "\r\n";
        body.remove_prefix(piece.size());
    }
    return out + "0\r\n\r\n";
}

// Trailers are fields to Beast (B4), which refuses or obeys some of them; here they are checked and dropped.
bool has_trailers(std::string_view message) {
    const std::string_view lines =
        message.substr(0, message.size() - 4); // without the last line's end and the empty one
    const std::size_t before = lines.rfind("\r\n");
    return lines.substr(before == lines.npos ? 0 : before + 2).contains(':');
}

} // namespace

void chunked_body(std::string_view input) {
    const Decoded whole = decode(input, Cut::whole);
    for (const Cut cut : kCuts) require(decode(input, cut) == whole, "another body under other cuts");
    require(whole.body.size() <= input.size(), "more body than octets");
    if (!whole.body.empty() && !input.empty()) {
        const std::string again = encode(whole.body, input);
        const Decoded decoded = decode(again, Cut::own);
        require(decoded.done && decoded.body == whole.body && decoded.consumed == again.size(), "no round trip");
    }
    if (!whole.done) return;
    const std::string_view message = input.substr(0, whole.consumed);
    const std::string head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    const Witnessed seen = witness_request(head + std::string(message));
    if (!seen.error.empty() && has_trailers(message)) return;
    require(seen.error.empty(), "Beast refuses what the decoder accepts: " + seen.error);
    require(seen.done && seen.consumed == head.size() + message.size(), "Beast sees another end of the body");
    require(seen.body == whole.body, "Beast reads another body");
}

} // namespace tollgate::fuzz
