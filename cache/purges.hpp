// What was purged, and when: an entry is good if its question was asked after every purge that is about it. Counters in
// place of deletions: a purge costs the same for one entry and for all, and what is being answered meanwhile is
// covered.
#pragma once

#include "cache/entry.hpp"
#include "gateway/base/time.hpp"

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tollgate::cache {

// What a purge is about, as text: "all", "model/NAME", "team/NAME", "tag/NAME", "key/HEX".
inline constexpr std::string_view kPurgeAll = "all";

struct Purge {
    std::string name;
    std::uint64_t stamp = 0; // grows with every purge; milliseconds since 1970 or more
};

// Thread-safe. Remembers at most kMost names; one more purges everything instead.
class Purges {
  public:
    static constexpr std::size_t kMost = 10'000;

    // The stamp of the latest purge. An entry carries what it was when its question was asked.
    [[nodiscard]] std::uint64_t clock() const noexcept { return clock_.load(std::memory_order_acquire); }
    // In force when it returns; take_news() has it then, for the other processes.
    std::uint64_t purge(std::string name, WallTime now);
    // One of ours, with the stamp under which the others know it.
    void merge(const Purge& purge);
    // One of another process, and all before it are known.
    void learn(const Purge& purge);
    [[nodiscard]] std::uint64_t learnt() const noexcept { return learnt_.load(std::memory_order_acquire); }

    // Whether the entry is of before a purge of everything, of its key, of one of its tags or of one of `names`.
    [[nodiscard]] bool covers(const Key& key, const Entry& entry, std::initializer_list<std::string_view> names) const;

    // Purges of this process that are still to be told. What could not be told is given back.
    [[nodiscard]] std::vector<Purge> take_news();
    void give_back(std::vector<Purge> news);
    [[nodiscard]] bool has_news() const noexcept { return has_news_.load(std::memory_order_acquire); }

    // True for one caller per interval: who asks the other processes now. At once if there is news.
    [[nodiscard]] bool claim_exchange(TimePoint now);
    // Whether it is known what was purged before this process came.
    [[nodiscard]] bool caught_up() const noexcept { return caught_up_.load(std::memory_order_acquire); }
    void note_caught_up() noexcept { caught_up_.store(true, std::memory_order_release); }

    [[nodiscard]] std::uint64_t count() const; // names that are remembered

  private:
    void note(const std::string& name, std::uint64_t stamp); // under the mutex
    [[nodiscard]] std::uint64_t of(std::string_view name) const;

    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
    };
    mutable std::shared_mutex mutex_;
    std::unordered_map<std::string, std::uint64_t, Hash, std::equal_to<>> stamps_;
    std::vector<Purge> news_;
    std::atomic<std::uint64_t> clock_{0}, learnt_{0};
    std::atomic<bool> has_news_{false}, caught_up_{false};
    std::atomic<TimePoint::rep> next_exchange_{0};
};

} // namespace tollgate::cache
