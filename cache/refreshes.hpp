// Which entries are being renewed: one call per key and process at a time, and a pause after one that brought nothing.
#pragma once

#include "cache/entry.hpp"
#include "gateway/base/time.hpp"

#include <mutex>
#include <unordered_map>

namespace tollgate::cache {

// Thread-safe. Remembers at most kMost keys; beyond that nothing is renewed before its TTL is over for good.
class Refreshes {
  public:
    static constexpr std::size_t kMost = 4096;
    static constexpr Duration kPause = std::chrono::seconds(1);

    // True if the caller has to renew it now, and then to say end().
    [[nodiscard]] bool begin(const Key& key, TimePoint now);
    // `renewed`: there is a new entry. If not, begin() refuses for the pause.
    void end(const Key& key, bool renewed, TimePoint now);

  private:
    struct FirstOctets {
        std::size_t operator()(const Key& key) const noexcept;
    };
    void forget_pauses(TimePoint now);

    std::mutex mutex_;
    std::unordered_map<Key, TimePoint, FirstOctets> until_; // kNever: running
};

} // namespace tollgate::cache
