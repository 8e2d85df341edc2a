// Ways in which the chunks of a stream become one object. What has no safe way is a failure, never a guess. Pure.
#pragma once

#include "gateway/api/replay/json_text.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tollgate::api::replay {

// Octets that may still be kept.
class Budget {
  public:
    explicit Budget(std::size_t octets) : octets_(octets) {}
    [[nodiscard]] bool take(std::size_t octets) noexcept {
        if (octets > octets_ - used_) return false;
        used_ += octets;
        return true;
    }
    [[nodiscard]] std::size_t used() const noexcept { return used_; }

  private:
    std::size_t octets_;
    std::size_t used_ = 0;
};

// Appends one JSON object to a text. Names need no escape; values are JSON, texts are escaped already.
class ObjectWriter {
  public:
    explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
    ObjectWriter(const ObjectWriter&) = delete;
    ObjectWriter& operator=(const ObjectWriter&) = delete;
    ObjectWriter& value(std::string_view name, std::string_view json);
    ObjectWriter& text(std::string_view name, std::string_view escaped);
    // The member's name; the caller appends its value.
    std::string& open(std::string_view name);
    void close() { out_ += '}'; }

  private:
    std::string& out_;
    bool first_ = true;
};

// Members that a stream tells once, or always in the same words. null and {} say nothing.
class Fields {
  public:
    [[nodiscard]] bool take(std::string_view name, const Value& value, Budget& budget);
    // As take, but a later value replaces an earlier one.
    [[nodiscard]] bool replace(std::string_view name, const Value& value, Budget& budget);
    // The value's JSON; empty if it was not told.
    [[nodiscard]] std::string_view find(std::string_view name) const noexcept;
    // All but those named, in the order in which they came.
    void write(ObjectWriter& out, std::initializer_list<std::string_view> without = {}) const;

  private:
    std::string* known(std::string_view name) noexcept;
    bool add(std::string_view name, const Value& value, Budget& budget);

    std::vector<std::pair<std::string, std::string>> fields_;
};

// A string that comes in pieces. Both halves of a surrogate pair may come in different ones.
struct Text {
    std::string escaped;
    bool told = false;      // as a string, be it empty
    bool mentioned = false; // as a string or as null

    // False for anything else.
    [[nodiscard]] bool take(const Value& value, Budget& budget);
};

// An object whose members are arrays that come in pieces, as logprobs do; null among them says nothing.
class Lists {
  public:
    // An object, or null.
    [[nodiscard]] bool take(const Value& value, Budget& budget);
    [[nodiscard]] bool told() const noexcept { return told_; }
    [[nodiscard]] bool mentioned() const noexcept { return mentioned_; }
    void write(std::string& out) const;

  private:
    struct List {
        std::string name;
        std::string elements;
        bool told = false;
    };
    List* list(std::string_view name, Budget& budget);

    std::vector<List> lists_;
    bool told_ = false, mentioned_ = false;
};

// Appends what stands between the brackets of `array`. False if it is no array.
[[nodiscard]] bool append_elements(std::string& out, const Value& array, Budget& budget);

} // namespace tollgate::api::replay
