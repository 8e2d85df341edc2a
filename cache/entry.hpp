// One complete cached answer: immutable once made, shared by reference count, ready to send.
#pragma once

#include "gateway/base/time.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>

namespace tollgate::cache {

using Key = std::array<std::uint8_t, 32>; // HMAC-SHA256 of the canonical tuple

struct Entry {
    std::string content_type;          // of the answer, from a closed set
    std::string body;                  // the provider's octets, unmodified
    WallTime created{};                // when the provider answered; Age counts from here, in every tier
    WallTime expires{};                // created + TTL; never restarted by backfill
    std::chrono::milliseconds stale{}; // after that it is kept so long, for who takes a stale answer
    std::string model;                 // public model name, for headers and metrics
    std::string upstream;              // provider that answered
    std::string tags;                  // names to purge it by, one a line
    std::uint64_t purge_clock = 0;     // Purges::clock() when the question was asked
    std::uint64_t input_tokens = 0;    // that call used, 0: not known
    std::uint64_t output_tokens = 0;
    std::int64_t cost_nano = -1; // list price of that call, USD / 10^9; below zero: not known

    [[nodiscard]] WallTime kept_until() const noexcept { return expires + stale; }
    [[nodiscard]] std::size_t bytes() const noexcept {
        return sizeof(Entry) + content_type.size() + body.size() + model.size() + upstream.size() + tags.size();
    }
};
using EntryPtr = std::shared_ptr<const Entry>;

// Binary form for Redis: magic, version, times, length-prefixed strings. decode: nothing on any damage.
[[nodiscard]] std::string encode(const Entry& entry);
[[nodiscard]] EntryPtr decode(std::string_view bytes);

} // namespace tollgate::cache
