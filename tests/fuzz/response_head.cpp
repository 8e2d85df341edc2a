// Heads of upstream answers: the same as for requests, for a peer that is trusted no more.
#include "gateway/base/text.hpp"
#include "tests/fuzz/beast_witness.hpp"
#include "tests/fuzz/head_properties.hpp"

namespace tollgate::fuzz {
namespace {

using http::Framing;
using http::ResponseHead;

void check_meaning(const ResponseHead& head, bool to_head) {
    const bool bodiless = to_head || head.status < 200 || head.status == 204 || head.status == 304;
    require(head.status >= 100 && head.status <= 599, "status out of range");
    require(bodiless == (head.framing == Framing::none), "a body where there can be none, or none where one must be");
    require(head.framing != Framing::until_close || !head.keep_alive, "the end of the connection, and then reuse");
    require(!(head.find("transfer-encoding") && head.find("content-length")), "two framings");
    if (!bodiless && head.find("transfer-encoding")) require(head.framing == Framing::chunked, "chunks not read");
    if (!bodiless && head.find("content-length")) require(head.framing == Framing::length, "length not read");
}

// B13: Beast wants a space behind the status and reads Connection more strictly than what providers send.
bool beast_is_stricter(const ResponseHead& head, std::string_view text) {
    return head.find("connection").has_value() || head.find("proxy-connection").has_value() || text[12] != ' ';
}

void check_against_beast(const ResponseHead& head, std::string_view text) {
    const Witnessed seen = witness_response(text);
    if (!seen.error.empty() && beast_is_stricter(head, text)) return;
    require(seen.error.empty(), "Beast refuses what the gate accepts: " + seen.error);
    require(seen.head && seen.consumed == text.size(), "Beast sees another end of the head");
    require(seen.status == head.status && seen.version == 10 + head.minor, "Beast reads another status line");
    require(seen.fields.size() == head.fields.size(), "Beast reads other fields");
    for (std::size_t i = 0; i < seen.fields.size(); ++i)
        require(seen.fields[i].first == head.fields[i].name && seen.fields[i].second == head.fields[i].value,
                "Beast reads another field");
    if (head.framing == Framing::none) return;
    require(seen.chunked == (head.framing == Framing::chunked), "Beast reads another framing");
    if (head.framing == Framing::length) require(seen.length == head.content_length, "Beast reads another length");
}

} // namespace

void response_head(std::string_view input) {
    bool contradiction = false;
    const FoundHead found = scan_head_in_every_way(http::kResponseLimits, input, contradiction);
    if (found.length == 0) {
        require(!contradiction, "cut up, a head is found where there is none");
        return;
    }
    require(found.length <= http::kResponseLimits.total + found.leading && found.leading <= 4, "over the limits");
    const std::string_view text = input.substr(found.leading, found.length - found.leading);
    for (const bool to_head : {false, true}) {
        ResponseHead head;
        if (!http::parse_response_head(text, to_head, head)) continue;
        require(!contradiction, "an acceptable head is found or not depending on the cuts");
        check_fields(head.fields, text);
        check_meaning(head, to_head);
        check_against_beast(head, text);
    }
}

} // namespace tollgate::fuzz
