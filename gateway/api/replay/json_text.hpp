// JSON text looked into without being decoded: members, elements and strings stay views of the octets, so that what is
// put together from them has every number and every escape as the provider wrote it (Boost.JSON 1.81 rounds numbers
// and turns integers beyond 64 bits into doubles). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::api::replay {

enum class Kind : std::uint8_t { null, boolean, number, string, array, object };

struct Value {
    std::string_view text; // the whole token
    Kind kind = Kind::null;

    [[nodiscard]] bool is_null() const noexcept { return kind == Kind::null; }
    [[nodiscard]] bool is_string() const noexcept { return kind == Kind::string; }
    [[nodiscard]] bool is_array() const noexcept { return kind == Kind::array; }
    [[nodiscard]] bool is_object() const noexcept { return kind == Kind::object; }
    // What stands between the quotes of a string, still escaped; between the brackets of an array or object.
    [[nodiscard]] std::string_view inner() const noexcept { return text.substr(1, text.size() - 2); }
};

// The one value that `text` is, white space around it apart. Nothing for what RFC 8259's grammar or 64 levels forbid;
// UTF-8 and the pairing of surrogates are not looked at.
[[nodiscard]] std::optional<Value> read_value(std::string_view text);

struct Member {
    std::string_view name; // as written, without quotes
    Value value;
};
using Members = std::vector<Member>;

// Takes the members of an object one by one, without a look at what follows.
class MemberWalk {
  public:
    explicit MemberWalk(const Value& object) : rest_(object.inner()) {}
    // Nothing at the end, and at what is no member.
    [[nodiscard]] std::optional<Member> next();
    // It ended as it should.
    [[nodiscard]] bool at_end() const noexcept { return rest_.empty() && !broken_; }

  private:
    std::string_view rest_;
    bool broken_ = false;
};

inline constexpr std::size_t kMaxMembers = 64; // of an object that is taken apart

// Of an object that is part of a value that was read. Nothing if there are more than kMaxMembers, if a name comes
// twice, or has an escape, so that one name has one spelling.
[[nodiscard]] std::optional<Members> members_of(const Value& object);
// The member, or null (with empty text) if it is absent.
[[nodiscard]] Value find(const Members& members, std::string_view name) noexcept;

// Takes the elements of an array that is part of a value that was read, one by one.
class Elements {
  public:
    explicit Elements(const Value& array) : rest_(array.inner()) {}
    [[nodiscard]] std::optional<Value> next();

  private:
    std::string_view rest_;
};

// The object that `text` is, as a value whose inside nobody has looked at; nothing if it begins or ends otherwise.
[[nodiscard]] std::optional<Value> unread_object(std::string_view text) noexcept;

// The value's text without white space between its tokens, so that it fits into one line.
[[nodiscard]] std::string compact(std::string_view json);

// A number that is an integer from 0 to `most`, as an array index is.
[[nodiscard]] std::optional<std::size_t> index_of(const Value& value, std::size_t most) noexcept;

// Octets of the escaped text that make one character that must not be cut: an escape, both halves of an escaped pair,
// or the octets of one code point. At least 1 unless `escaped` is empty.
[[nodiscard]] std::size_t character_length(std::string_view escaped) noexcept;

// The text behind the escapes; a lone surrogate becomes U+FFFD.
[[nodiscard]] std::string unescape(std::string_view escaped);

} // namespace tollgate::api::replay
