// Paths and the words around them: first line the method, second the path, the rest a key. What goes upstream is a
// path that the gate itself would accept, and no answer about a key shows it.
#include "gateway/api/route.hpp"
#include "gateway/base/text.hpp"
#include "gateway/http/codec.hpp"
#include "gateway/http/grammar.hpp"
#include "policy/key_text.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <boost/json.hpp>

namespace tollgate::fuzz {
namespace {

void check_match(const api::Match& match, std::string_view path) {
    require(match.route != nullptr, "a match without a route");
    const std::string target(match.upstream_path());
    require(http::is_safe_target(target), "an upstream path the gate itself would refuse");
    require(target.find_first_of("?#") == std::string::npos, "an upstream path with more than a path");
    require(match.object_id.empty() || path.contains(match.object_id), "an id that the path does not hold");
    for (const char c : match.object_id) require(http::is_token({&c, 1}) || c == ':', "an id that is not clean");
    // Variables fill segments, they never make new ones.
    const auto slashes = [](std::string_view text) { return std::ranges::count(text, '/'); };
    require(slashes(target) == slashes(match.route->upstream) || !match.model.empty(), "another number of segments");
}

void check_key_text(std::string_view key) {
    const std::string_view shown = policy::shown_part(key);
    require(shown.size() <= 11 && key.starts_with(shown), "more of a key is shown than its public part");
    if (policy::hashable_key(key)) require(!key.empty() && key.size() <= policy::kMaxKeyLength, "over the limit");
    // What is answered depends on the public part and on well-known prefixes only.
    const std::string other = std::string(key.substr(0, 12)) + "~another text in its place";
    require(policy::mistyped_key_error(key).message == policy::mistyped_key_error(other).message,
            "an answer shows a key");
    require(policy::invalid_key_error(key).message == policy::invalid_key_error(other).message,
            "an answer shows a key");
}

void check_text(std::string_view text) {
    std::string quoted;
    append_json_string(quoted, text);
    boost::json::error_code error;
    const boost::json::value value = boost::json::parse(quoted, error);
    require(!error && value.is_string(), "what is quoted is not a JSON string");
    if (const auto number = parse_decimal(text)) {
        require(text.find_first_not_of("0123456789") == text.npos, "a number that is none");
        const std::size_t digits = std::min(text.find_first_not_of('0'), text.size() - 1);
        require(std::to_string(*number) == text.substr(digits), "another number");
    }
    std::string field;
    if (http::append_field(field, "x-name", text))
        require(field.find('\n') == field.size() - 1 && field.find('\r') == field.size() - 2, "a value splits a line");
    else
        require(field.empty(), "half a field");
}

} // namespace

void route_target(std::string_view input) {
    Take take(input);
    const std::string_view method = take.line();
    const std::string_view path = take.line();
    const std::string_view rest = take.rest();
    if (path.starts_with('/') && http::is_safe_target(path)) {
        const std::string_view bare = path.substr(0, path.find('?'));
        const api::Lookup found = api::find_route(api::parse_method(method), bare);
        if (found.match) check_match(*found.match, bare);
        if (!found.match && found.miss.path_known) require(!found.miss.allow.empty(), "405 without Allow");
    }
    check_key_text(rest);
    check_text(rest);
}

} // namespace tollgate::fuzz
