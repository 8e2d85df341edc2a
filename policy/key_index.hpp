// Key digest → position, as one flat table.
#pragma once

#include "gateway/base/crypto.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace tollgate::policy {

// Open addressing, at most half full. The digests are HMACs under a secret, so their first octets are a hash nobody
// outside can steer; entries are compared in full and in constant time (R5). Reads are thread-safe.
class KeyIndex {
  public:
    explicit KeyIndex(std::size_t expected = 0);

    // The position already stored under this digest, if any; then nothing changes. Throws std::length_error for more
    // digests than expected.
    std::optional<std::uint32_t> insert(const crypto::Digest& digest, std::uint32_t position);
    [[nodiscard]] std::optional<std::uint32_t> find(const crypto::Digest& digest) const noexcept;

  private:
    struct Slot {
        crypto::Digest digest{};
        std::uint32_t position = 0;
        bool used = false;
    };

    // The slot that holds the digest, or the empty one where it belongs.
    [[nodiscard]] std::size_t locate(const crypto::Digest& digest) const noexcept;

    std::vector<Slot> slots_; // a power of two; never full, or locate() would not end
    std::size_t free_;
};

} // namespace tollgate::policy
