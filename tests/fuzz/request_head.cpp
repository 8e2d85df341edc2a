// Request heads: the gate against itself (any cuts, its own output) and against Beast on the same octets.
#include "gateway/base/text.hpp"
#include "tests/fuzz/beast_witness.hpp"
#include "tests/fuzz/head_properties.hpp"

namespace tollgate::fuzz {
namespace {

using http::Framing;
using http::RequestHead;

std::string written(const RequestHead& head) {
    std::string out(head.method);
    out += ' ';
    out += head.target;
    out += head.minor == 1 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n";
    for (const http::Field& field : head.fields) (void)http::append_field(out, field.name, field.value);
    return out + "\r\n";
}

bool same(const RequestHead& a, const RequestHead& b) {
    const auto fields = [](const http::Field& x, const http::Field& y) {
        return x.name == y.name && x.value == y.value;
    };
    return a.method == b.method && a.target == b.target && a.path == b.path && a.query == b.query &&
           a.minor == b.minor && a.framing == b.framing && a.content_length == b.content_length &&
           a.keep_alive == b.keep_alive && a.expect_continue == b.expect_continue &&
           std::equal(a.fields.begin(), a.fields.end(), b.fields.begin(), b.fields.end(), fields);
}

void check_meaning(const RequestHead& head) {
    require(head.framing != Framing::until_close, "a request without an end");
    require(!(head.find("transfer-encoding") && head.find("content-length")), "two framings");
    require((head.framing == Framing::chunked) == head.find("transfer-encoding").has_value(), "coding without chunks");
    require((head.framing == Framing::length) == head.find("content-length").has_value(), "length without framing");
    require(head.framing == Framing::length || head.content_length == 0, "a length without Content-Length");
    require(head.minor == 0 || head.find("host").has_value(), "HTTP/1.1 without Host");
    require(http::is_token(head.method), "the method is no token");
    require(head.target == "*" || http::is_safe_target(head.target), "the target is not safe");
    const std::string joined =
        std::string(head.path) + (head.target.contains('?') ? "?" : "") + std::string(head.query);
    require(joined == head.target, "path and query are not the target");
}

// Beast reads two fields more strictly than RFC 9110; nothing of ours depends on what it makes of them.
bool beast_is_stricter(const RequestHead& head) {
    return head.find("connection").has_value() || head.find("proxy-connection").has_value();
}

void check_against_beast(const RequestHead& head, std::string_view text) {
    const Witnessed seen = witness_request(text);
    if (!seen.error.empty() && beast_is_stricter(head)) return;
    require(seen.error.empty(), "Beast refuses what the gate accepts: " + seen.error);
    require(seen.head && seen.consumed == text.size(), "Beast sees another end of the head");
    require(seen.method == head.method && seen.version == 10 + head.minor, "Beast reads another request line");
    const bool reduced = seen.target.size() > head.target.size() && seen.target.ends_with(head.target) &&
                         seen.target.find("://") != std::string::npos;
    require(seen.target == head.target || reduced, "Beast reads another target");
    require(seen.chunked == (head.framing == Framing::chunked), "Beast reads another framing");
    if (head.framing == Framing::length) require(seen.length == head.content_length, "Beast reads another length");
    require(seen.fields.size() == head.fields.size(), "Beast reads other fields");
    for (std::size_t i = 0; i < seen.fields.size(); ++i)
        require(seen.fields[i].first == head.fields[i].name && seen.fields[i].second == head.fields[i].value,
                "Beast reads another field");
    // With "close" and "keep-alive" at once we close; the other way round a request could be read that nobody answers.
    require(!head.keep_alive || seen.keep_alive, "Beast would close where we read on");
}

} // namespace

void request_head(std::string_view input) {
    bool contradiction = false;
    const FoundHead found = scan_head_in_every_way(http::kRequestLimits, input, contradiction);
    if (found.length == 0) {
        require(!contradiction, "cut up, a head is found where there is none");
        return;
    }
    require(found.length <= http::kRequestLimits.total + found.leading && found.leading <= 4, "over the limits");
    const std::string_view text = input.substr(found.leading, found.length - found.leading);
    RequestHead head;
    if (!http::parse_request_head(text, head)) return;
    require(!contradiction, "an acceptable head is found or not depending on the cuts");
    require(head.fields.size() <= http::kRequestLimits.fields, "too many fields");
    check_fields(head.fields, text);
    check_meaning(head);
    check_against_beast(head, text);
    const std::string again = written(head);
    RequestHead reread;
    require(http::parse_request_head(again, reread).has_value(), "what is written is not accepted");
    require(same(head, reread), "what is written reads differently");
}

} // namespace tollgate::fuzz
