#include "gateway/api/json_precheck.hpp"

#include <algorithm>
#include <array>

namespace tollgate::api {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

enum class StringFault : std::uint8_t { none, unterminated, surrogate };
struct StringEnd {
    std::size_t after = kNone; // offset behind the closing quote
    StringFault fault = StringFault::none;
};

int hex4(std::string_view text, std::size_t at) noexcept {
    if (at + 4 > text.size()) return -1;
    int value = 0;
    for (const char c : text.substr(at, 4)) {
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

// Offset behind the escape whose backslash is at `slash`; kNone for a lone surrogate. Malformed escapes are only
// stepped over: the parser refuses them.
std::size_t skip_escape(std::string_view text, std::size_t slash) noexcept {
    if (slash + 1 >= text.size() || text[slash + 1] != 'u') return slash + 2;
    const int unit = hex4(text, slash + 2);
    if (unit < 0) return slash + 2;
    if (unit < 0xD800 || unit > 0xDFFF) return slash + 6;
    const bool pair = unit <= 0xDBFF && text.substr(slash + 6, 2) == "\\u";
    const int low = pair ? hex4(text, slash + 8) : -1;
    return low >= 0xDC00 && low <= 0xDFFF ? slash + 12 : kNone;
}

// `at` is behind the opening quote. The next quote is searched once per quote, not once per escape: linear.
StringEnd skip_string(std::string_view text, std::size_t at) noexcept {
    std::size_t quote = text.find('"', at);
    while (quote != kNone) {
        const std::size_t slash = text.substr(at, quote - at).find('\\');
        if (slash == kNone) return {quote + 1, StringFault::none};
        at = skip_escape(text, at + slash);
        if (at == kNone) return {kNone, StringFault::surrogate};
        if (at > quote) quote = text.find('"', at);
    }
    return {kNone, StringFault::unterminated};
}

bool is_space(char c) noexcept {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool ends_scalar(char c) noexcept {
    return is_space(c) || c == ',' || c == ':' || c == '"' || c == '[' || c == ']' || c == '{' || c == '}';
}

// Parsers disagree on numbers no double can hold: simdjson reads 0e99999 as 0, Boost.JSON as NaN, and it refuses a
// whole document for 0e-99999999999. Whatever reads an admitted body after simdjson must read the same.
bool exponent_fits(std::string_view number) noexcept {
    constexpr int kLargest = 308;
    constexpr int kSmallest = 999;
    const std::size_t e = number.find_first_of("eE");
    if (e == kNone) return true;
    number.remove_prefix(e + 1);
    const bool negative = number.starts_with('-');
    if (negative || number.starts_with('+')) number.remove_prefix(1);
    number.remove_prefix(std::min(number.find_first_not_of('0'), number.size()));
    if (number.size() > 3) return false;
    int value = 0;
    for (const char c : number) value = value * 10 + (c - '0');
    return value <= (negative ? kSmallest : kLargest);
}

std::unexpected<Error> malformed(std::string message) {
    return fail(invalid_request("invalid_json", std::move(message)));
}

// Judges the octet the document starts with; nothing if it opens an object.
std::optional<Error> judge_start(std::string_view body, std::size_t at) {
    if (body.starts_with("\xEF\xBB\xBF"))
        return invalid_request("invalid_json", "The body starts with a byte order mark; send UTF-8 without one.");
    if (body.starts_with("\xFF\xFE") || body.starts_with("\xFE\xFF"))
        return invalid_request("invalid_utf8", "The body is UTF-16; JSON must be sent as UTF-8.");
    if (at == kNone) return invalid_request("invalid_json", "The body is empty; a JSON object is required.");
    const char c = body[at];
    if (c == '{') return std::nullopt;
    const auto octet = static_cast<unsigned char>(c);
    if ((octet >= 0x80 && octet < 0xC2) || octet > 0xF4)
        return invalid_request("invalid_utf8", "The body is not valid UTF-8.");
    if (std::string_view("[\"-tfn").find(c) != kNone || (c >= '0' && c <= '9'))
        return invalid_request("not_object", "The body must be a JSON object.");
    return invalid_request("invalid_json", "The body is not valid JSON.");
}

class Counter {
  public:
    Counter(std::string_view body, std::size_t max_values) : body_(body), max_values_(max_values) {}

    Result<void> run() {
        at_ = body_.find_first_not_of(" \t\n\r");
        if (auto error = judge_start(body_, at_)) return fail(std::move(*error));
        do {
            if (auto step = token(); !step) return step;
        } while (depth_ > 0 && at_ < body_.size());
        if (depth_ > 0) return malformed("The JSON body ends before its object is complete.");
        if (body_.find_first_not_of(" \t\n\r", at_) != kNone)
            return malformed("The body goes on after the end of its JSON object.");
        return {};
    }

  private:
    Result<void> token() {
        const char c = body_[at_];
        if (is_space(c)) {
            ++at_;
            return {};
        }
        if (fresh_ && c != ']' && c != '}' && ++values_ > max_values_) return too_many_values();
        fresh_ = false;
        switch (c) {
        case '{':
        case '[': return open(c == '{');
        case '}':
        case ']': return close(c == '}');
        case '"': return string();
        case ',':
            ++at_;
            if (++values_ > max_values_) return too_many_values();
            return {};
        case ':':
            ++at_;
            if (++frames_[depth_].keys > kMaxObjectKeys)
                return fail(invalid_request("too_many_keys", "An object of the JSON body has more than 1,024 keys."));
            return {};
        default: return word();
        }
    }

    Result<void> open(bool object) {
        ++at_;
        if (++depth_ > kMaxJsonDepth)
            return fail(invalid_request("too_deep", "The JSON body is nested more than 64 levels deep."));
        frames_[depth_] = {object, 0};
        fresh_ = true;
        return {};
    }

    Result<void> close(bool object) {
        ++at_;
        if (frames_[depth_].object != object) return malformed("The brackets of the JSON body do not match.");
        --depth_;
        return {};
    }

    Result<void> string() {
        const auto [after, fault] = skip_string(body_, at_ + 1);
        if (fault == StringFault::surrogate)
            return malformed("A string of the JSON body has a \\u escape that is half of a surrogate pair.");
        if (fault == StringFault::unterminated) return malformed("A string of the JSON body is not terminated.");
        at_ = after;
        return {};
    }

    // A number or one of the three literals, or garbage for the parser to refuse.
    Result<void> word() {
        const std::size_t start = at_;
        while (at_ < body_.size() && !ends_scalar(body_[at_])) {
            if (body_[at_] == '\\') return malformed("The body is not valid JSON.");
            ++at_;
        }
        const char c = body_[start];
        const bool number = c == '-' || (c >= '0' && c <= '9');
        if (at_ - start > kMaxNumberOctets) {
            if (!number) return malformed("The body is not valid JSON.");
            return fail(invalid_request("invalid_value", "A number of the JSON body has more than 64 characters."));
        }
        if (number && !exponent_fits(body_.substr(start, at_ - start)))
            return malformed("A number of the JSON body has an exponent that no double has.");
        return {};
    }

    std::unexpected<Error> too_many_values() const {
        return fail(invalid_request("too_many_values",
                                    "The JSON body has more than " + std::to_string(max_values_) + " values."));
    }

    struct Frame {
        bool object = false;
        std::size_t keys = 0;
    };
    std::string_view body_;
    std::size_t max_values_;
    std::size_t at_ = 0;
    std::size_t values_ = 1; // the root
    std::size_t depth_ = 0;
    bool fresh_ = false; // directly behind an opening bracket
    std::array<Frame, kMaxJsonDepth + 1> frames_{};
};

} // namespace

Error invalid_request(std::string_view code, std::string message, std::string_view param) {
    Error error;
    error.type = ErrorType::caller_invalid_request;
    error.status = 400;
    error.message = std::move(message);
    error.openai_type = "invalid_request_error";
    error.code = code;
    error.param = param;
    return error;
}

Result<void> precheck_json(std::string_view body, std::size_t max_values) {
    return Counter(body, max_values).run();
}

namespace {

// Where the value of the root's `member`-th member begins.
std::size_t value_of_member(std::string_view body, std::size_t member) noexcept {
    std::size_t depth = 0;
    std::size_t index = 0;
    bool value = false; // behind the colon of the wanted member
    for (std::size_t at = 0; at < body.size();) {
        const char c = body[at];
        if (value && !is_space(c)) return at;
        if (c == '"') {
            at = skip_string(body, at + 1).after;
            if (at == kNone) return kNone;
            continue;
        }
        if (c == '{' || c == '[') ++depth;
        if (c == '}' || c == ']') --depth;
        if (depth == 1 && c == ',') ++index;
        if (depth == 1 && c == ':' && index == member) value = true;
        ++at;
    }
    return kNone;
}

} // namespace

Span locate_string_member(std::string_view body, std::size_t member) noexcept {
    const std::size_t at = value_of_member(body, member);
    if (at == kNone || body[at] != '"') return {};
    const std::size_t after = skip_string(body, at + 1).after;
    return after == kNone ? Span{} : Span{at, after - at};
}

Span locate_null_member(std::string_view body, std::size_t member) noexcept {
    constexpr std::string_view kNull = "null";
    const std::size_t at = value_of_member(body, member);
    return at != kNone && body.substr(at).starts_with(kNull) ? Span{at, kNull.size()} : Span{};
}

} // namespace tollgate::api
