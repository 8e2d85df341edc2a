// Keys of requests whose very octets were seen before: without parsing, without HMAC (design §5).
#pragma once

#include "cache/entry.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

namespace tollgate::cache {

// One per worker, on its thread. What it holds of requests is at most `capacity` octets, the oldest go first. The hash
// is seeded with a secret of this object, so that nobody can aim at a collision, and what is found is compared whole,
// so that none could be one.
class RawKeys {
  public:
    static constexpr std::size_t kLongest = 128 * 1024; // octets of a request that is remembered

    explicit RawKeys(std::size_t capacity);

    // `context` is everything else that the key depends on, unambiguous. Null: not seen, or forgotten.
    [[nodiscard]] const Key* find(std::string_view context, std::string_view body) const;
    // Of a request that find() does not know.
    void remember(std::string_view context, std::string_view body, const Key& key);

    [[nodiscard]] std::size_t octets() const noexcept { return octets_; }

  private:
    struct Digest {
        std::uint64_t low, high;
        bool operator==(const Digest&) const = default;
    };
    struct Low {
        std::size_t operator()(const Digest& digest) const noexcept { return digest.low; }
    };
    struct Seen {
        std::string request; // context and body
        Key key;
    };
    [[nodiscard]] Digest digest(std::string_view context, std::string_view body) const;

    const std::size_t capacity_;
    std::array<std::uint8_t, 192> secret_{};
    std::unordered_map<Digest, Seen, Low> seen_;
    std::deque<Digest> order_; // oldest first
    std::size_t octets_ = 0;
};

} // namespace tollgate::cache
