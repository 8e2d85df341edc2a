#include "gateway/exchange/habits.hpp"

#include <algorithm>
#include <bit>

namespace tollgate::exchange {
namespace {

constexpr std::uint32_t kEnough = 20;
constexpr std::uint32_t kMostWeight = 1'000;
constexpr Duration kHalfLife = std::chrono::hours(24);
constexpr unsigned kPerMille = 950;

// 0 to 3 have buckets of their own; then the two bits behind the leading one choose among four.
std::size_t bucket_of(std::uint64_t count) {
    if (count < 4) return static_cast<std::size_t>(count);
    const auto width = static_cast<unsigned>(std::bit_width(count)); // ≥ 3
    return static_cast<std::size_t>(width - 2) * 4 + static_cast<std::size_t>((count >> (width - 3)) & 3U);
}

std::uint64_t largest_in(std::size_t bucket) {
    if (bucket < 4) return bucket;
    const std::size_t shift = bucket / 4 - 1;
    return ((std::uint64_t{4} + bucket % 4 + 1) << shift) - 1;
}

} // namespace

void CountQuantile::halve() {
    total_ = 0;
    for (std::uint16_t& bucket : buckets_) {
        bucket /= 2;
        total_ += bucket;
    }
}

void CountQuantile::add(std::uint64_t count, TimePoint now) {
    if (total_ == 0) halved_ = now;
    while (total_ > 0 && now - halved_ >= kHalfLife) {
        halve();
        halved_ += kHalfLife;
    }
    if (total_ == 0) halved_ = now;
    if (total_ >= kMostWeight) halve();
    ++buckets_[std::min(bucket_of(count), kBuckets - 1)];
    ++total_;
}

std::optional<std::uint64_t> CountQuantile::at(unsigned per_mille) const {
    if (total_ < kEnough) return std::nullopt;
    const std::uint64_t wanted = (std::uint64_t{total_} * per_mille + 999) / 1'000;
    std::uint64_t seen = 0;
    std::size_t bucket = 0;
    while (bucket + 1 < kBuckets && (seen += buckets_[bucket]) < wanted) ++bucket;
    return largest_in(bucket);
}

std::string Habits::name_of(std::string_view key, std::string_view model) {
    std::string out;
    out.reserve(key.size() + 1 + model.size());
    out += key;
    out += '\0';
    out += model;
    return out;
}

void Habits::note(std::string_view key, std::string_view model, const Seen& seen, TimePoint now) {
    if (most_ == 0 || (!seen.output && !seen.input_tokens_per_1000_octets)) return;
    std::string name = name_of(key, model);
    const auto found = places_.find(name);
    if (found != places_.end()) {
        habits_.splice(habits_.begin(), habits_, found->second);
    } else {
        if (habits_.size() >= most_) {
            places_.erase(habits_.back().name);
            habits_.pop_back();
        }
        habits_.push_front({.name = std::move(name), .output = {}, .input_rate = {}});
        places_.emplace(habits_.front().name, habits_.begin());
    }
    Habit& habit = habits_.front();
    if (seen.output) habit.output.add(*seen.output, now);
    if (seen.input_tokens_per_1000_octets) habit.input_rate.add(*seen.input_tokens_per_1000_octets, now);
}

api::Learned Habits::of(std::string_view key, std::string_view model) const {
    const auto found = places_.find(name_of(key, model));
    if (found == places_.end()) return {};
    const Habit& habit = *found->second;
    api::Learned out{.output = habit.output.at(kPerMille)};
    // A token has at least one octet.
    if (const auto rate = habit.input_rate.at(kPerMille))
        out.input_tokens_per_1000_octets = static_cast<std::uint32_t>(std::min<std::uint64_t>(*rate, 1'000));
    return out;
}

} // namespace tollgate::exchange
