// Guessing keys is slow (R38, case 260): failures are counted per source address, and a source over its limit may only
// use keys that it has used before. So a guesser cannot learn whether a guess was right, and an application that shares
// the guesser's address keeps working.
#pragma once

#include "gateway/base/time.hpp"
#include "policy/token_bucket.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <string_view>

namespace tollgate::policy {

// Thread-safe. Knows the `capacity` sources seen last; an attack from more sources than that is not an attack from one.
class FailedKeys {
  public:
    using Source = std::array<std::uint8_t, 16>; // see net::source_of

    explicit FailedKeys(std::size_t capacity = 8192) : capacity_(capacity) {}

    // Zero: this failure is within `per_minute`. Else the wait until the next one would be.
    [[nodiscard]] Duration failed(const Source& source, std::uint64_t per_minute, TimePoint now);
    // Zero: the key may pass. Else its source is over the limit and has not used this key in the last minutes.
    [[nodiscard]] Duration succeeded(const Source& source, std::string_view key_id, std::uint64_t per_minute,
                                     TimePoint now);

  private:
    struct Entry {
        Source source{};
        TokenBucket failures;
        std::array<std::uint64_t, 8> known{}; // hashes of the key ids that passed, newest first
    };
    using Entries = std::list<Entry>; // most recently seen first

    Entry& entry(const Source& source, std::uint64_t per_minute, TimePoint now);

    const std::size_t capacity_;
    std::mutex mutex_;
    Entries entries_;
    std::map<Source, Entries::iterator> by_source_;
};

} // namespace tollgate::policy
