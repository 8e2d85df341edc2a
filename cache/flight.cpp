#include "cache/flight.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace tollgate::cache {
namespace {

// What a segment costs beside its text: so that a log of single octets is bounded too.
constexpr std::uint64_t kSegmentCost = 96;

std::uint64_t cost(const FlightSegment& segment) {
    return segment->size() + kSegmentCost;
}

} // namespace

void Flight::begin(FlightHead head) {
    auto made = std::make_shared<const FlightHead>(std::move(head));
    const std::scoped_lock lock(mutex_);
    head_ = std::move(made); // told with the first octets
}

bool Flight::append(std::string_view octets, bool last) {
    auto segment = octets.empty() ? nullptr : std::make_shared<const std::string>(octets);
    std::vector<FlightSegment> gone; // freed without the lock
    const std::scoped_lock lock(mutex_);
    if (end_ != FlightEnd::running) return false;
    if (segment) {
        octets_ += cost(segment);
        segments_.push_back(std::move(segment));
        if (octets_ > max_octets_) trim(gone);
    }
    if (last) end_ = FlightEnd::complete;
    tell();
    return !outgrown_;
}

void Flight::note_usage(std::string_view data) {
    const std::scoped_lock lock(mutex_);
    usage_ = data;
}

void Flight::note_cost(std::optional<std::int64_t> nano) {
    const std::scoped_lock lock(mutex_);
    cost_ = nano;
}

// A quarter at once: what is taken off the front moves all the rest.
void Flight::trim(std::vector<FlightSegment>& gone) {
    outgrown_ = true;
    std::size_t count = 0;
    while (octets_ > max_octets_ / 4 * 3 && count + 1 < segments_.size()) octets_ -= cost(segments_[count++]);
    const auto end = segments_.begin() + static_cast<std::ptrdiff_t>(count);
    gone.assign(std::make_move_iterator(segments_.begin()), std::make_move_iterator(end));
    segments_.erase(segments_.begin(), end);
    first_ += count;
}

void Flight::fail(Error error) {
    const std::scoped_lock lock(mutex_);
    if (end_ != FlightEnd::running) return;
    end_ = FlightEnd::failed;
    error_ = std::move(error);
    tell();
}

void Flight::abandon(unsigned next_election) {
    const std::scoped_lock lock(mutex_);
    if (end_ != FlightEnd::running) return;
    end_ = FlightEnd::abandoned;
    next_election_ = next_election;
    tell();
}

void Flight::tell() {
    for (const auto& listener : listeners_) listener->on_news();
}

void Flight::on_wanted(std::function<void()> post) {
    const std::scoped_lock lock(mutex_);
    wanted_ = std::move(post);
}

void Flight::enter() {
    const std::scoped_lock lock(mutex_);
    if (followers_++ == 0 && wanted_) wanted_();
}

void Flight::leave() {
    const std::scoped_lock lock(mutex_);
    if (--followers_ == 0 && wanted_) wanted_();
}

void Flight::attach(std::shared_ptr<FlightListener> listener) {
    const std::scoped_lock lock(mutex_);
    listeners_.push_back(std::move(listener));
}

void Flight::detach(const FlightListener& listener) {
    std::shared_ptr<FlightListener> gone; // it may be the last owner
    const std::scoped_lock lock(mutex_);
    const auto found = std::ranges::find(listeners_, &listener, &std::shared_ptr<FlightListener>::get);
    if (found == listeners_.end()) return;
    gone = std::move(*found);
    listeners_.erase(found);
}

void Flight::read(Reading& reading) const {
    const std::scoped_lock lock(mutex_);
    reading.head = head_;
    const std::uint64_t known = reading.next();
    if (reading.first < first_) {
        const auto dropped = std::min<std::uint64_t>(first_ - reading.first, reading.segments.size());
        reading.segments.erase(reading.segments.begin(),
                               reading.segments.begin() + static_cast<std::ptrdiff_t>(dropped));
        reading.first = first_;
    }
    const std::uint64_t from = std::max(known, first_) - first_;
    reading.segments.insert(reading.segments.end(), segments_.begin() + static_cast<std::ptrdiff_t>(from),
                            segments_.end());
    if (end_ == FlightEnd::complete) reading.usage = usage_;
    reading.cost = cost_;
    reading.end = end_;
    reading.error = error_;
    reading.next_election = next_election_;
}

std::size_t Flight::followers() const {
    const std::scoped_lock lock(mutex_);
    return followers_;
}

std::size_t FlightDirectory::FirstOctets::operator()(const Key& key) const noexcept {
    std::size_t hash = 0;
    std::memcpy(&hash, key.data(), sizeof hash);
    return hash;
}

FlightDirectory::Joined FlightDirectory::join(const Key& key, unsigned election, std::uint64_t max_octets,
                                              TimePoint now, bool regardless) {
    Shard& shard = shard_of(key);
    const std::scoped_lock lock(shard.mutex);
    if (!shard.parted.empty() && !regardless) {
        const auto parted = shard.parted.find(key);
        if (parted != shard.parted.end() && parted->second > now) return {};
        if (parted != shard.parted.end()) shard.parted.erase(parted);
    }
    const auto elected = election == 0 ? shard.elected.end() : shard.elected.find(key);
    const bool late = elected != shard.elected.end() && elected->second.until > now && !shard.flights.contains(key);
    if (late && elected->second.error) return {.role = Role::failed, .flight = {}, .error = elected->second.error};
    if (late) election = std::max(election, elected->second.election);
    const auto [place, fresh] = shard.flights.try_emplace(key);
    if (fresh) {
        place->second = std::make_shared<Flight>(key, election, max_octets);
        return {.role = Role::lead, .flight = place->second};
    }
    place->second->enter();
    return {.role = Role::follow, .flight = place->second};
}

void FlightDirectory::remove(const Flight& flight) {
    Shard& shard = shard_of(flight.key());
    FlightPtr gone;
    const std::scoped_lock lock(shard.mutex);
    const auto found = shard.flights.find(flight.key());
    if (found == shard.flights.end() || found->second.get() != &flight) return;
    gone = std::move(found->second);
    shard.flights.erase(found);
}

bool FlightDirectory::remove_unfollowed(const Flight& flight) {
    Shard& shard = shard_of(flight.key());
    FlightPtr gone;
    const std::scoped_lock lock(shard.mutex);
    if (flight.followers() > 0) return false;
    const auto found = shard.flights.find(flight.key());
    if (found == shard.flights.end() || found->second.get() != &flight) return true;
    gone = std::move(found->second);
    shard.flights.erase(found);
    return true;
}

void FlightDirectory::note_election(const Key& key, unsigned election, std::optional<Error> error, TimePoint now) {
    Shard& shard = shard_of(key);
    const std::scoped_lock lock(shard.mutex);
    if (shard.elected.size() >= kMostParted)
        std::erase_if(shard.elected, [now](const auto& entry) { return entry.second.until <= now; });
    if (shard.elected.size() >= kMostParted) shard.elected.erase(shard.elected.begin()); // costs a call
    shard.elected.insert_or_assign(key, Shard::Elected{election, std::move(error), now + kElectedFor});
}

void FlightDirectory::part(const Key& key, TimePoint until, TimePoint now) {
    Shard& shard = shard_of(key);
    const std::scoped_lock lock(shard.mutex);
    if (shard.parted.size() >= kMostParted)
        std::erase_if(shard.parted, [now](const auto& entry) { return entry.second <= now; });
    if (shard.parted.size() >= kMostParted) shard.parted.erase(shard.parted.begin()); // costs one shared call
    shard.parted.insert_or_assign(key, until);
}

std::size_t FlightDirectory::size() const {
    std::size_t all = 0;
    for (const Shard& shard : shards_) {
        const std::scoped_lock lock(shard.mutex);
        all += shard.flights.size();
    }
    return all;
}

} // namespace tollgate::cache
