// What keys used of models so far, for expecting what they will use next (limits-cache §1.2). Pure: time is an
// argument.
#pragma once

#include "gateway/api/estimate.hpp"
#include "gateway/base/time.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace tollgate::exchange {

// High quantiles of a stream of counts in some 220 octets: four buckets for each power of two, so that what is told is
// at most a quarter too large, never too small. Older counts weigh less: half after a day, and half after a thousand.
class CountQuantile {
  public:
    void add(std::uint64_t count, TimePoint now);
    // The count that `per_mille` of all do not exceed; nothing before 20 of them are known.
    [[nodiscard]] std::optional<std::uint64_t> at(unsigned per_mille) const;

  private:
    void halve();

    static constexpr std::size_t kBuckets = 112; // up to 2^28
    std::array<std::uint16_t, kBuckets> buckets_{};
    std::uint32_t total_ = 0;
    TimePoint halved_{};
};

// One for each worker, not thread-safe. Bounded: the pair of key and model that was noted longest ago is forgotten.
class Habits {
  public:
    explicit Habits(std::size_t most_pairs = 4'096) : most_(most_pairs) {}

    struct Seen {
        std::optional<std::uint64_t> output{};                       // tokens of one answer that nothing limited
        std::optional<std::uint64_t> input_tokens_per_1000_octets{}; // of a body without media
    };
    void note(std::string_view key, std::string_view model, const Seen& seen, TimePoint now);

    // The 95th percentiles of both.
    [[nodiscard]] api::Learned of(std::string_view key, std::string_view model) const;
    [[nodiscard]] std::size_t pairs() const noexcept { return places_.size(); }

  private:
    struct Habit {
        std::string name;
        CountQuantile output, input_rate;
    };
    [[nodiscard]] static std::string name_of(std::string_view key, std::string_view model);

    std::size_t most_;
    std::list<Habit> habits_;                                                 // what was noted last comes first
    std::unordered_map<std::string_view, std::list<Habit>::iterator> places_; // names are in the list
};

} // namespace tollgate::exchange
