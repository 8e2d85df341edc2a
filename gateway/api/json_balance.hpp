// Whether JSON that arrives in pieces is whole. Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace tollgate::api {

// For bodies that end with their connection: nothing but the JSON itself tells an end from a breaking off (RFC 9112 §8,
// case 282). Counts brackets outside strings; no parser, so it holds nothing and judges nothing else.
class JsonBalance {
  public:
    void feed(std::string_view piece) noexcept;
    // An object or array was opened and every one is closed.
    [[nodiscard]] bool whole() const noexcept { return opened_ && depth_ == 0 && !in_string_; }

  private:
    std::size_t depth_ = 0;
    bool opened_ = false;
    bool in_string_ = false;
    bool escaped_ = false;
};

} // namespace tollgate::api
