#include "policy/key_index.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <stdexcept>

namespace tollgate::policy {

KeyIndex::KeyIndex(std::size_t expected)
    : slots_(std::bit_ceil(std::max<std::size_t>(2 * expected, 16))), free_(slots_.size() / 2) {}

std::size_t KeyIndex::locate(const crypto::Digest& digest) const noexcept {
    std::uint64_t hash = 0;
    std::memcpy(&hash, digest.data(), sizeof hash);
    std::size_t at = hash & (slots_.size() - 1);
    while (slots_[at].used && !crypto::equal_constant_time(slots_[at].digest, digest))
        at = (at + 1) & (slots_.size() - 1);
    return at;
}

std::optional<std::uint32_t> KeyIndex::insert(const crypto::Digest& digest, std::uint32_t position) {
    Slot& slot = slots_[locate(digest)];
    if (slot.used) return slot.position;
    if (free_ == 0) throw std::length_error("more keys than the index was made for");
    --free_;
    slot = {.digest = digest, .position = position, .used = true};
    return std::nullopt;
}

std::optional<std::uint32_t> KeyIndex::find(const crypto::Digest& digest) const noexcept {
    const Slot& slot = slots_[locate(digest)];
    if (!slot.used) return std::nullopt;
    return slot.position;
}

} // namespace tollgate::policy
