// The canonical key of admitted bodies: the same however the request is written, another if it says anything else.
#include "cache/key.hpp"
#include "gateway/api/request_view.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/json_rewriter.hpp"

namespace tollgate::fuzz {
namespace {

bool admitted(api::RequestReader& reader, std::string_view text) {
    std::string body;
    body.reserve(text.size() + api::RequestReader::padding());
    body = text;
    return reader.read(body, api::Operation::chat).has_value();
}

std::string canonical(std::string_view body, std::string_view what) {
    const auto text = cache::canonical_json(body);
    require(text.has_value(), std::string(what) + ": " + (text ? "" : text.error()));
    return *text;
}

// With one more member in front; `written` is an object.
std::string with_member(std::string_view written, std::string_view member) {
    const std::size_t brace = written.find('{') + 1;
    const bool empty = written.substr(brace).find_first_not_of(" \t\r\n") == written.substr(brace).find('}');
    return std::string(written.substr(0, brace)) + std::string(member) + (empty ? "" : ",") +
           std::string(written.substr(brace));
}

void check_key(const std::string& text, const std::string& other) {
    static constexpr std::array<std::uint8_t, 32> kMacKey{1, 2, 3};
    crypto::Hmac mac(kMacKey);
    const cache::KeyParts parts{"team:a", "0", "/chat/completions", "openai/m", ""};
    const cache::KeyParts foreign{"team:b", "0", "/chat/completions", "openai/m", ""};
    const cache::Key key = cache::make_key(mac, parts, text);
    require(key == cache::make_key(mac, parts, text), "the key is not a function of its parts");
    require(key != cache::make_key(mac, foreign, text), "two tenants share a key");
    require(key != cache::make_key(mac, parts, other), "two requests share a key");
}

} // namespace

void cache_key(std::string_view input) {
    static api::RequestReader reader;
    // Whatever is refused at admission may be canonical or not, but never more than one object.
    const auto any = cache::canonical_json(input);
    if (any) require(any->starts_with('{') && any->ends_with('}'), "the canonical form is no object");
    if (!admitted(reader, input)) return;
    const std::string text = canonical(input, "an admitted body has no canonical form");
    require(canonical(text, "the canonical form has none") == text, "not idempotent");
    const std::string other = written_differently(input);
    require(canonical(other, "written differently") == text, "written differently it has another key");
    for (const std::string_view ignored : {R"("stream":true)", R"("user":"u")", R"("metadata":{"a":"b"})"}) {
        const std::string more = with_member(input, ignored);
        if (admitted(reader, more)) require(canonical(more, "more") == text, "what is left out changes the key");
    }
    const std::string more = with_member(input, R"("temperatur\u0065":0.25)");
    if (!admitted(reader, more)) return;
    const std::string changed = canonical(more, "with one more parameter");
    require(changed != text, "one more parameter does not change the key");
    check_key(text, changed);
}

} // namespace tollgate::fuzz
