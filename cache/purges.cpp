#include "cache/purges.hpp"

#include "gateway/base/crypto.hpp"

#include <algorithm>
#include <utility>

namespace tollgate::cache {
namespace {

constexpr auto kInterval = std::chrono::milliseconds(500); // with the 100 ms of a tick well below the second promised

} // namespace

std::uint64_t Purges::purge(std::string name, WallTime now) {
    const auto wall = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
    const std::unique_lock lock(mutex_);
    const std::uint64_t stamp = std::max(static_cast<std::uint64_t>(std::max<std::int64_t>(wall, 0)), clock() + 1);
    if (stamps_.size() >= kMost && !stamps_.contains(name)) name = kPurgeAll;
    note(name, stamp);
    if (news_.size() >= kMost) { // nobody has asked for them, for whatever reason
        news_.clear();
        name = kPurgeAll;
    }
    news_.push_back({std::move(name), stamp});
    has_news_.store(true, std::memory_order_release);
    return stamp;
}

void Purges::merge(const Purge& purge) {
    const std::unique_lock lock(mutex_);
    note(stamps_.size() >= kMost && !stamps_.contains(purge.name) ? std::string(kPurgeAll) : purge.name, purge.stamp);
}

void Purges::learn(const Purge& purge) {
    merge(purge);
    if (purge.stamp > learnt()) learnt_.store(purge.stamp, std::memory_order_release);
}

void Purges::note(const std::string& name, std::uint64_t stamp) {
    if (name == kPurgeAll) std::erase_if(stamps_, [&](const auto& one) { return one.second <= stamp; });
    std::uint64_t& mine = stamps_[name];
    mine = std::max(mine, stamp);
    if (stamp > clock()) clock_.store(stamp, std::memory_order_release);
}

std::uint64_t Purges::of(std::string_view name) const {
    const auto found = stamps_.find(name);
    return found == stamps_.end() ? 0 : found->second;
}

bool Purges::covers(const Key& key, const Entry& entry, std::initializer_list<std::string_view> names) const {
    if (entry.purge_clock >= clock()) return false;
    const std::shared_lock lock(mutex_);
    const auto later = [&](std::string_view name) { return of(name) > entry.purge_clock; };
    if (later(kPurgeAll) || std::ranges::any_of(names, later) || later("key/" + crypto::to_hex(key))) return true;
    for (std::string_view tags = entry.tags; !tags.empty();) {
        const std::size_t end = tags.find('\n');
        if (later("tag/" + std::string(tags.substr(0, end)))) return true;
        tags.remove_prefix(end == std::string_view::npos ? tags.size() : end + 1);
    }
    return false;
}

std::vector<Purge> Purges::take_news() {
    const std::unique_lock lock(mutex_);
    has_news_.store(false, std::memory_order_release);
    return std::exchange(news_, {});
}

void Purges::give_back(std::vector<Purge> news) {
    if (news.empty()) return;
    const std::unique_lock lock(mutex_);
    if (news.size() + news_.size() > kMost) news = {{std::string(kPurgeAll), clock()}};
    news_.insert(news_.begin(), std::make_move_iterator(news.begin()), std::make_move_iterator(news.end()));
    has_news_.store(true, std::memory_order_release);
}

bool Purges::claim_exchange(TimePoint now) {
    TimePoint::rep due = next_exchange_.load(std::memory_order_relaxed);
    if (now.time_since_epoch().count() < due && !has_news()) return false;
    const TimePoint::rep next = (now + kInterval).time_since_epoch().count();
    return next_exchange_.compare_exchange_strong(due, next, std::memory_order_relaxed);
}

std::uint64_t Purges::count() const {
    const std::shared_lock lock(mutex_);
    return stamps_.size();
}

} // namespace tollgate::cache
