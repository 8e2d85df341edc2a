#include "cache/key.hpp"

#include "cache/canonical_number.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <vector>

namespace tollgate::cache {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr unsigned kMaxDepth = 64;
// A parser keeps several times the size of the largest body it has seen, so only small bodies use the thread's own.
constexpr std::size_t kKeptBody = 64 << 10;

// limits-cache §3.1 rule 2: proven not to change the answer. `model` is in KeyParts::identity after alias resolution.
constexpr std::array<std::string_view, 11> kLeftOut = {"stream",
                                                       "stream_options",
                                                       "user",
                                                       "metadata",
                                                       "store",
                                                       "safety_identifier",
                                                       "prompt_cache_key",
                                                       "prompt_cache_options",
                                                       "prompt_cache_retention",
                                                       "service_tier",
                                                       "model"};

// The order of a JSON schema's members steers the order of what the model writes (api-surface §6.6), so everything
// inside these members keeps its order. Where such a name means something else, this only costs hits.
constexpr std::array<std::string_view, 4> kOrdered = {"schema", "json_schema", "parameters", "input_schema"};

bool is_one_of(std::span<const std::string_view> names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

// RFC 8785 §3.2.3: by UTF-16 code units. That is the order of UTF-8 octets, except that supplementary characters
// (lead F0–F4; surrogates D800–DFFF in UTF-16) come before U+E000–U+FFFF (lead EE, EF).
bool utf16_less(std::string_view a, std::string_view b) {
    const auto [x, y] = std::ranges::mismatch(a, b);
    if (x == a.end() || y == b.end()) return x == a.end() && y != b.end();
    const auto rank = [](char c) {
        const auto octet = static_cast<unsigned char>(c);
        return octet == 0xEE || octet == 0xEF ? octet + 0x10U : octet;
    };
    return rank(*x) < rank(*y);
}

// RFC 8785 §3.2.2.2: quotes, backslash and C0 only, short forms where JSON has them.
void append_string(std::string& out, std::string_view text) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    static constexpr std::string_view kShort = "btn.fr"; // U+0008 … U+000D; U+000B has no short form
    out += '"';
    std::size_t done = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        out.append(text, done, i - done);
        done = i + 1;
        out += '\\';
        if (c >= 0x20) {
            out += text[i];
        } else if (c >= 0x08 && c <= 0x0D && c != 0x0B) {
            out += kShort[c - 0x08U];
        } else {
            out += "u00";
            out += kDigits[c >> 4];
            out += kDigits[c & 15];
        }
    }
    out.append(text, done);
    out += '"';
}

struct Member {
    std::string_view key;     // lives in the parser
    std::size_t begin, end;   // `"key":value` in the draft
    std::size_t first_object; // record of the first object inside the value, if any
};

struct Object {
    std::size_t begin, end;     // braces included, in the draft
    std::size_t members, count; // sorted; only if !in_order
    std::size_t next;           // record of the first object after this one's last descendant
    bool in_order;
};

// Writes the values in document order into a draft and copies that once, objects out of order member by member:
// linear however deep the nesting, where sorting on the way up would copy a value once per level.
class Canonicaliser {
  public:
    // Empty on success. `readable`: octets from body.data() on that may be read, whatever they hold.
    std::string read(std::string_view body, std::size_t readable, std::span<const std::string_view> also);
    [[nodiscard]] std::string write() const;
    // The same, of one that is not used again and need not hold two texts at a time.
    std::string take();

  private:
    bool read_object(ondemand::object object, unsigned depth, bool ordered);
    bool read_array(ondemand::array array, unsigned depth, bool ordered);
    bool read_value(ondemand::value value, unsigned depth, bool ordered);
    void finish_object(std::size_t record, std::size_t first_open, bool ordered);
    void copy(std::size_t begin, std::size_t end, std::size_t record, std::string& out) const;
    bool fail(std::string reason) {
        error_ = std::move(reason);
        return false;
    }
    bool fail(simdjson::error_code code) { return fail(simdjson::error_message(code)); }

    ondemand::parser parser_;
    std::string padded_;
    std::string draft_;
    std::vector<Object> objects_; // in the order of their opening braces
    std::vector<Member> members_; // of finished objects out of order
    std::vector<Member> open_;    // of unfinished objects, innermost last
    std::string error_;
    std::span<const std::string_view> also_;
};

std::string Canonicaliser::read(std::string_view body, std::size_t readable, std::span<const std::string_view> also) {
    also_ = also;
    objects_.clear();
    members_.clear();
    open_.clear();
    draft_.clear();
    error_.clear();
    draft_.reserve(body.size());
    if (readable < body.size() + simdjson::SIMDJSON_PADDING) {
        padded_.reserve(body.size() + simdjson::SIMDJSON_PADDING);
        padded_.assign(body);
        body = padded_;
        readable = padded_.capacity();
    }
    ondemand::document document;
    ondemand::object top;
    if (const auto code = parser_.iterate(body.data(), body.size(), readable).get(document)) {
        return simdjson::error_message(code);
    }
    if (const auto code = document.get_object().get(top)) return simdjson::error_message(code);
    if (!read_object(top, 1, false)) return error_;
    // On-Demand stops at the closing brace; what follows it would otherwise be left out of the key.
    if (document.current_location().error() == simdjson::SUCCESS) return "octets after the JSON value";
    return {};
}

bool Canonicaliser::read_object(ondemand::object object, unsigned depth, bool ordered) {
    const std::size_t record = objects_.size();
    const std::size_t first_open = open_.size();
    objects_.push_back({draft_.size(), 0, 0, 0, 0, true});
    draft_ += '{';
    for (auto item : object) {
        ondemand::field field;
        std::string_view key;
        if (const auto code = std::move(item).get(field)) return fail(code);
        if (const auto code = field.unescaped_key().get(key)) return fail(code);
        if (depth == 1 && (is_one_of(kLeftOut, key) || is_one_of(also_, key))) continue;
        if (open_.size() > first_open) draft_ += ',';
        Member member{key, draft_.size(), 0, objects_.size()};
        append_string(draft_, key);
        draft_ += ':';
        if (!read_value(field.value(), depth + 1, ordered || is_one_of(kOrdered, key))) return false;
        member.end = draft_.size();
        open_.push_back(member);
    }
    draft_ += '}';
    finish_object(record, first_open, ordered);
    return true;
}

void Canonicaliser::finish_object(std::size_t record, std::size_t first_open, bool ordered) {
    Object& object = objects_[record];
    object.end = draft_.size();
    object.next = objects_.size();
    const auto mine = std::span(open_).subspan(first_open);
    const auto by_key = [](const Member& a, const Member& b) { return utf16_less(a.key, b.key); };
    object.in_order = ordered || std::ranges::is_sorted(mine, by_key);
    if (!object.in_order) {
        std::ranges::sort(mine, by_key); // keys are unique
        object.members = members_.size();
        object.count = mine.size();
        members_.insert(members_.end(), mine.begin(), mine.end());
    }
    open_.resize(first_open);
}

bool Canonicaliser::read_array(ondemand::array array, unsigned depth, bool ordered) {
    draft_ += '[';
    bool first = true;
    for (auto item : array) {
        ondemand::value value;
        if (const auto code = std::move(item).get(value)) return fail(code);
        if (!first) draft_ += ',';
        first = false;
        if (!read_value(value, depth + 1, ordered)) return false;
    }
    draft_ += ']';
    return true;
}

bool Canonicaliser::read_value(ondemand::value value, unsigned depth, bool ordered) {
    ondemand::json_type type{};
    if (const auto code = value.type().get(type)) return fail(code);
    const bool container = type == ondemand::json_type::array || type == ondemand::json_type::object;
    if (container && depth > kMaxDepth) return fail("nested deeper than 64 levels");
    switch (type) {
    case ondemand::json_type::array: {
        ondemand::array array;
        if (const auto code = value.get_array().get(array)) return fail(code);
        return read_array(array, depth, ordered);
    }
    case ondemand::json_type::object: {
        ondemand::object object;
        if (const auto code = value.get_object().get(object)) return fail(code);
        return read_object(object, depth, ordered);
    }
    case ondemand::json_type::number:
        return append_canonical_number(draft_, value.raw_json_token()) || fail("not a JSON number");
    case ondemand::json_type::string: {
        std::string_view text;
        if (const auto code = value.get_string().get(text)) return fail(code);
        append_string(draft_, text);
        return true;
    }
    case ondemand::json_type::boolean: {
        bool truth = false;
        if (const auto code = value.get_bool().get(truth)) return fail(code);
        draft_ += truth ? "true" : "false";
        return true;
    }
    case ondemand::json_type::null: {
        bool null = false;
        if (const auto code = value.is_null().get(null)) return fail(code);
        draft_ += "null";
        return null || fail("not a JSON value");
    }
    }
    return fail("not a JSON value");
}

std::string Canonicaliser::take() {
    parser_ = ondemand::parser();
    padded_ = std::string();
    return std::ranges::all_of(objects_, &Object::in_order) ? std::move(draft_) : write();
}

std::string Canonicaliser::write() const {
    std::string out;
    out.reserve(draft_.size());
    copy(0, draft_.size(), 0, out);
    return out;
}

void Canonicaliser::copy(std::size_t begin, std::size_t end, std::size_t record, std::string& out) const {
    while (record < objects_.size() && objects_[record].begin < end) {
        const Object& object = objects_[record];
        if (object.in_order) {
            ++record;
            continue;
        }
        out.append(draft_, begin, object.begin - begin);
        char separator = '{';
        for (const Member& member : std::span(members_).subspan(object.members, object.count)) {
            out += separator;
            separator = ',';
            copy(member.begin, member.end, member.first_object, out);
        }
        out += '}';
        begin = object.end;
        record = object.next;
    }
    out.append(draft_, begin, end - begin);
}

std::array<char, 8> length_of(std::string_view text) {
    std::array<char, 8> length{};
    for (std::size_t i = 0; i < length.size(); ++i) length[i] = static_cast<char>((text.size() >> (8 * i)) & 0xFFU);
    return length;
}

void update_field(crypto::Hmac& mac, std::string_view text) {
    const auto length = length_of(text);
    mac.update({length.data(), length.size()});
    mac.update(text);
}

} // namespace

std::expected<std::string, std::string> canonical_json(std::string_view body, std::span<const std::string_view> also,
                                                       std::size_t readable) {
    thread_local Canonicaliser kept;
    if (body.size() <= kKeptBody) {
        std::string error = kept.read(body, readable, also);
        if (!error.empty()) return std::unexpected(std::move(error));
        return kept.write();
    }
    Canonicaliser once;
    std::string error = once.read(body, readable, also);
    if (!error.empty()) return std::unexpected(std::move(error));
    return once.take();
}

std::string context_of(const KeyParts& parts) {
    std::string out;
    for (const std::string_view field : {parts.scope, parts.space, parts.endpoint, parts.identity, parts.headers}) {
        const auto length = length_of(field);
        out.append(length.data(), length.size());
        out += field;
    }
    return out;
}

Key make_key(crypto::Hmac& mac, const KeyParts& parts, std::string_view canonical_body) {
    mac.reset();
    // The schema first: a change of any rule above changes this text, and every old entry becomes unreachable.
    for (const std::string_view field : {std::string_view("tollgate.cache.key.v2"), parts.scope, parts.space,
                                         parts.endpoint, parts.identity, parts.headers, canonical_body}) {
        update_field(mac, field);
    }
    return mac.finish();
}

} // namespace tollgate::cache
