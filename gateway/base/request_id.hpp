// Our own request ids: `req_` + UUIDv7 in Crockford base32, sortable by time, not guessable from each other.
#pragma once

#include "gateway/base/time.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tollgate {

class RequestId {
  public:
    [[nodiscard]] std::string_view view() const noexcept { return {text_.data(), text_.size()}; }

  private:
    friend class RequestIds;
    std::array<char, 30> text_{};
};

// One per worker: a random state seeded from the system, no system call per id.
class RequestIds {
  public:
    RequestIds();
    [[nodiscard]] RequestId next(WallTime now) noexcept;

  private:
    std::uint64_t state_[4];
};

// When an id of ours was made, to the millisecond; nothing for any other text.
[[nodiscard]] std::optional<WallTime> made_at(std::string_view id) noexcept;

} // namespace tollgate
