#include "gateway/api/replay/json_text.hpp"

#include "gateway/api/json_precheck.hpp"

#include <algorithm>
#include <charconv>

namespace tollgate::api::replay {
namespace {

bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

int hex_digit(char c) noexcept {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// The code unit of `\uXXXX` at the front, or nothing.
std::optional<std::uint32_t> code_unit(std::string_view text) noexcept {
    if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return std::nullopt;
    std::uint32_t unit = 0;
    for (const char c : text.substr(2, 4)) {
        const int digit = hex_digit(c);
        if (digit < 0) return std::nullopt;
        unit = unit << 4 | static_cast<std::uint32_t>(digit);
    }
    return unit;
}

bool is_high(std::uint32_t unit) noexcept {
    return unit >= 0xD800 && unit <= 0xDBFF;
}

bool is_low(std::uint32_t unit) noexcept {
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

// Walks over one value; what it has passed is what it was given minus what is left.
class Walker {
  public:
    explicit Walker(std::string_view text) : rest_(text) {}

    void space() noexcept {
        const std::size_t end = rest_.find_first_not_of(" \t\r\n");
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end);
    }
    [[nodiscard]] bool literal(std::string_view word) noexcept {
        if (!rest_.starts_with(word)) return false;
        rest_.remove_prefix(word.size());
        return true;
    }
    [[nodiscard]] std::string_view rest() const noexcept { return rest_; }
    [[nodiscard]] bool string() noexcept;
    [[nodiscard]] std::optional<Value> value(std::size_t depth);

  private:
    [[nodiscard]] bool escape() noexcept;
    [[nodiscard]] bool digits() noexcept;
    [[nodiscard]] bool number() noexcept;
    [[nodiscard]] bool array(std::size_t depth);
    [[nodiscard]] bool object(std::size_t depth);

    std::string_view rest_;
};

bool Walker::escape() noexcept {
    if (rest_.size() < 2) return false;
    const bool wide = rest_[1] == 'u';
    if (wide ? !code_unit(rest_) : std::string_view(R"("\/bfnrt)").find(rest_[1]) == std::string_view::npos)
        return false;
    rest_.remove_prefix(wide ? 6 : 2);
    return true;
}

// Written so that the compiler and the C library look at many octets at a time.
bool Walker::string() noexcept {
    if (!literal("\"")) return false;
    std::size_t quote = rest_.find('"');
    while (quote != std::string_view::npos) {
        const std::string_view run = rest_.substr(0, std::min(quote, rest_.substr(0, quote).find('\\')));
        unsigned controls = 0;
        for (const char c : run) controls += static_cast<unsigned char>(c) < 0x20 ? 1U : 0U;
        if (controls != 0) return false;
        rest_.remove_prefix(run.size());
        if (run.size() == quote) return literal("\"");
        quote -= run.size();
        const std::size_t before = rest_.size();
        if (!escape()) return false;
        const std::size_t passed = before - rest_.size();
        quote = passed <= quote ? quote - passed : rest_.find('"'); // it was the escaped one
    }
    return false;
}

bool Walker::digits() noexcept {
    const auto end = std::ranges::find_if_not(rest_, is_digit);
    const auto count = static_cast<std::size_t>(end - rest_.begin());
    rest_.remove_prefix(count);
    return count != 0;
}

bool Walker::number() noexcept {
    (void)literal("-");
    if (!literal("0") && !digits()) return false;
    if (literal(".") && !digits()) return false;
    if (!literal("e") && !literal("E")) return true;
    if (!literal("+")) (void)literal("-");
    return digits();
}

bool Walker::array(std::size_t depth) {
    rest_.remove_prefix(1);
    space();
    if (literal("]")) return true;
    while (value(depth)) {
        space();
        if (literal("]")) return true;
        if (!literal(",")) return false;
        space();
    }
    return false;
}

bool Walker::object(std::size_t depth) {
    rest_.remove_prefix(1);
    space();
    if (literal("}")) return true;
    while (string()) {
        space();
        if (!literal(":")) return false;
        space();
        if (!value(depth)) return false;
        space();
        if (literal("}")) return true;
        if (!literal(",")) return false;
        space();
    }
    return false;
}

// Stands on the value's first octet. Recursion is bounded by the depth.
std::optional<Value> Walker::value(std::size_t depth) {
    if (rest_.empty()) return std::nullopt;
    const std::string_view before = rest_;
    Value out;
    bool well_formed = false;
    switch (rest_.front()) {
    case '{':
        out.kind = Kind::object;
        well_formed = depth < kMaxJsonDepth && object(depth + 1);
        break;
    case '[':
        out.kind = Kind::array;
        well_formed = depth < kMaxJsonDepth && array(depth + 1);
        break;
    case '"':
        out.kind = Kind::string;
        well_formed = string();
        break;
    case 'n': well_formed = literal("null"); break;
    case 't':
    case 'f':
        out.kind = Kind::boolean;
        well_formed = literal("true") || literal("false");
        break;
    default: out.kind = Kind::number; well_formed = number();
    }
    if (!well_formed) return std::nullopt;
    out.text = before.substr(0, before.size() - rest_.size());
    return out;
}

void append_utf8(std::string& out, std::uint32_t point) {
    const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80U | (point >> shift & 0x3FU)); };
    if (point < 0x80) {
        out += static_cast<char>(point);
    } else if (point < 0x800) {
        out += static_cast<char>(0xC0U | point >> 6);
        tail(0);
    } else if (point < 0x10000) {
        out += static_cast<char>(0xE0U | point >> 12);
        tail(6);
        tail(0);
    } else {
        out += static_cast<char>(0xF0U | point >> 18);
        tail(12);
        tail(6);
        tail(0);
    }
}

char unescaped(char c) noexcept {
    switch (c) {
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return c;
    }
}

} // namespace

std::optional<Value> read_value(std::string_view text) {
    Walker walker(text);
    walker.space();
    auto value = walker.value(0);
    walker.space();
    if (!walker.rest().empty()) return std::nullopt;
    return value;
}

std::optional<Member> MemberWalk::next() {
    Walker walker(rest_);
    walker.space();
    (void)walker.literal(",");
    walker.space();
    const std::string_view from = walker.rest();
    if (!walker.string()) {
        rest_ = from;
        return std::nullopt;
    }
    const std::string_view name = from.substr(1, from.size() - walker.rest().size() - 2);
    walker.space();
    (void)walker.literal(":");
    walker.space();
    const auto value = walker.value(0);
    walker.space();
    rest_ = walker.rest();
    broken_ = !value;
    if (broken_) return std::nullopt;
    return Member{name, *value};
}

std::optional<Members> members_of(const Value& object) {
    Members out;
    if (!object.is_object()) return std::nullopt;
    MemberWalk walk(object);
    while (const auto member = walk.next()) {
        const std::string_view name = member->name;
        if (out.size() == kMaxMembers || name.find('\\') != std::string_view::npos) return std::nullopt;
        if (std::ranges::any_of(out, [&](const Member& other) { return other.name == name; })) return std::nullopt;
        out.push_back(*member);
    }
    if (!walk.at_end()) return std::nullopt;
    return out;
}

Value find(const Members& members, std::string_view name) noexcept {
    const auto found = std::ranges::find(members, name, &Member::name);
    return found == members.end() ? Value{} : found->value;
}

std::optional<Value> Elements::next() {
    Walker walker(rest_);
    walker.space();
    (void)walker.literal(",");
    walker.space();
    auto value = walker.value(0);
    rest_ = walker.rest();
    return value;
}

std::optional<Value> unread_object(std::string_view text) noexcept {
    const std::size_t begin = text.find_first_not_of(" \t\r\n"), end = text.find_last_not_of(" \t\r\n");
    if (begin == std::string_view::npos || begin == end || text[begin] != '{' || text[end] != '}') return std::nullopt;
    return Value{.text = text.substr(begin, end - begin + 1), .kind = Kind::object};
}

std::string compact(std::string_view json) {
    std::string out;
    out.reserve(json.size());
    bool in_string = false, escaped = false;
    for (const char c : json) {
        if (in_string) {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            continue;
        } else {
            in_string = c == '"';
        }
        out += c;
    }
    return out;
}

std::optional<std::size_t> index_of(const Value& value, std::size_t most) noexcept {
    std::size_t index = 0;
    const char* const end = value.text.data() + value.text.size();
    if (value.kind != Kind::number) return std::nullopt;
    const auto [stop, error] = std::from_chars(value.text.data(), end, index);
    if (error != std::errc() || stop != end || index > most) return std::nullopt;
    return index;
}

std::size_t character_length(std::string_view escaped) noexcept {
    if (escaped.empty()) return 0;
    if (escaped.front() == '\\') {
        const auto unit = code_unit(escaped);
        if (!unit) return std::min<std::size_t>(2, escaped.size());
        const auto second = is_high(*unit) ? code_unit(escaped.substr(6)) : std::nullopt;
        return second && is_low(*second) ? 12 : 6;
    }
    std::size_t length = 1;
    while (length < escaped.size() && (static_cast<unsigned char>(escaped[length]) & 0xC0U) == 0x80) ++length;
    return length;
}

std::string unescape(std::string_view escaped) {
    std::string out;
    out.reserve(escaped.size());
    while (!escaped.empty()) {
        const std::string_view piece = escaped.substr(0, character_length(escaped));
        escaped.remove_prefix(piece.size());
        const auto unit = code_unit(piece);
        if (piece.front() != '\\') {
            out += piece;
        } else if (!unit) {
            if (piece.size() > 1) out += unescaped(piece[1]);
        } else if (piece.size() == 12) {
            append_utf8(out, 0x10000 + ((*unit - 0xD800) << 10) + (*code_unit(piece.substr(6)) - 0xDC00));
        } else {
            append_utf8(out, is_high(*unit) || is_low(*unit) ? 0xFFFD : *unit);
        }
    }
    return out;
}

} // namespace tollgate::api::replay
