#include "cache/memory_cache.hpp"

#include <boost/intrusive/list.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace tollgate::cache {
namespace {

namespace intrusive = boost::intrusive;

constexpr std::size_t kMaxShards = 16;
constexpr std::uint64_t kMinShardBytes = 4ULL << 20; // so that an entry of 1 MiB fits comfortably
constexpr std::uint64_t kSmallPercent = 10;
constexpr std::uint8_t kMaxFrequency = 3; // two bits
constexpr std::uint8_t kPromote = 2;      // hits in the small queue that earn a place in the main one

// The key is an HMAC, so any of its octets are a good hash; the shard is chosen by others (shard_of).
std::uint64_t hash_of(const Key& key) noexcept {
    std::uint64_t hash = 0;
    std::memcpy(&hash, key.data(), sizeof(hash));
    return hash;
}

struct FirstOctets {
    std::size_t operator()(const Key& key) const noexcept { return hash_of(key); }
};

struct Node : intrusive::list_base_hook<intrusive::link_mode<intrusive::normal_link>> {
    const Key* key = nullptr; // in the table; stays in place as long as the node
    EntryPtr entry;
    std::uint64_t size = 0; // accounted
    std::uint8_t frequency = 0;
    bool main = false;
};
using Table = std::unordered_map<Key, Node, FirstOctets>;
using Queue = intrusive::list<Node, intrusive::constant_time_size<false>>;

// What the allocator spends on a block: eight octets of header, multiples of sixteen, 32 at least.
constexpr std::uint64_t block(std::uint64_t size) noexcept {
    return std::max<std::uint64_t>(32, (size + 8 + 15) / 16 * 16);
}

std::uint64_t footprint(const Entry& entry) noexcept {
    constexpr std::uint64_t kTableNode = block(sizeof(void*) + sizeof(Table::value_type));
    constexpr std::uint64_t kSlots = 40; // buckets and ghosts, between two growths of their tables
    constexpr std::uint64_t kControlBlock = 16;
    constexpr std::size_t kInlineString = 15;
    std::uint64_t total = kTableNode + kSlots + block(sizeof(Entry) + kControlBlock);
    for (const std::string* text : {&entry.content_type, &entry.body, &entry.model, &entry.upstream, &entry.tags}) {
        if (text->capacity() > kInlineString) total += block(text->capacity() + 1);
    }
    return total;
}

// Remembers which keys left the small queue lately: the half of a hash and a sequence number per slot. A collision
// overwrites the older one, which costs at most one more pass through the small queue.
class Ghosts {
  public:
    void insert(std::uint64_t hash, std::size_t live_entries) {
        // Twice the entries, so that most of a queue's worth of ghosts survives collisions.
        const std::size_t wanted = std::bit_ceil(std::max<std::size_t>(64, live_entries * 2));
        if (slots_.size() < wanted) slots_.assign(wanted, Slot{});
        slot(hash) = {static_cast<std::uint32_t>(hash >> 32), ++sequence_};
    }
    // True once per ghost that is not older than the last `window` ones.
    bool take(std::uint64_t hash, std::size_t window) {
        if (slots_.empty()) return false;
        Slot& found = slot(hash);
        const bool known = found.sequence != 0 && found.fingerprint == static_cast<std::uint32_t>(hash >> 32) &&
                           sequence_ - found.sequence <= window;
        if (known) found = {};
        return known;
    }
    void clear() { slots_ = {}; }

  private:
    struct Slot {
        std::uint32_t fingerprint = 0;
        std::uint32_t sequence = 0; // 0: free
    };
    Slot& slot(std::uint64_t hash) { return slots_[hash & (slots_.size() - 1)]; }

    std::vector<Slot> slots_;
    std::uint32_t sequence_ = 0;
};

using Dead = std::vector<EntryPtr>; // freed by the caller after the mutex

// One S3-FIFO: a small queue filters what is asked for once, the main queue keeps what came back (SOSP'23, §4).
class alignas(64) Shard {
  public:
    void set_capacity(std::uint64_t capacity) { capacity_ = capacity; }

    EntryPtr get(const Key& key, WallTime now, EntryPtr& dead) {
        const std::lock_guard lock(mutex_);
        const auto found = table_.find(key);
        if (found == table_.end()) return nullptr;
        Node& node = found->second;
        if (node.entry->kept_until() <= now) {
            ++evicted_ttl_;
            dead = remove(found);
            return nullptr;
        }
        node.frequency = std::min<std::uint8_t>(kMaxFrequency, static_cast<std::uint8_t>(node.frequency + 1));
        return node.entry;
    }

    void put(const Key& key, EntryPtr entry, WallTime now, Dead& dead) {
        const std::uint64_t size = footprint(*entry);
        const std::lock_guard lock(mutex_);
        bool main = false;
        std::uint8_t frequency = 0;
        if (const auto found = table_.find(key); found != table_.end()) {
            main = found->second.main;
            frequency = found->second.frequency;
            dead.push_back(remove(found));
        }
        if (size > capacity_) return;
        if (!main && ghosts_.take(hash_of(key), table_.size())) main = true;
        while (bytes_ + size > capacity_) evict(now, dead);
        insert(key, std::move(entry), size, frequency, main);
    }

    EntryPtr take_out(const Key& key) {
        const std::lock_guard lock(mutex_);
        const auto found = table_.find(key);
        if (found == table_.end()) return nullptr;
        ++evicted_purge_;
        return remove(found);
    }

    void clear(Dead& dead) {
        const std::lock_guard lock(mutex_);
        evicted_purge_ += table_.size();
        small_.clear();
        main_.clear();
        for (auto& [key, node] : table_) dead.push_back(std::move(node.entry));
        table_ = {};
        ghosts_.clear();
        bytes_ = small_bytes_ = 0;
    }

    void shrink_to(std::uint64_t bytes, WallTime now, Dead& dead) {
        const std::lock_guard lock(mutex_);
        while (bytes_ > bytes) evict(now, dead);
    }

    void add_to(MemoryStats& stats) const {
        const std::lock_guard lock(mutex_);
        stats.entries += table_.size();
        stats.bytes += bytes_;
        stats.capacity += capacity_;
        stats.evicted_size += evicted_size_;
        stats.evicted_ttl += evicted_ttl_;
        stats.evicted_purge += evicted_purge_;
    }

  private:
    Queue& queue_of(const Node& node) { return node.main ? main_ : small_; }

    void insert(const Key& key, EntryPtr entry, std::uint64_t size, std::uint8_t frequency, bool main) {
        const auto at = table_.try_emplace(key).first;
        Node& node = at->second;
        node.key = &at->first;
        node.entry = std::move(entry);
        node.size = size;
        node.frequency = frequency;
        node.main = main;
        queue_of(node).push_front(node);
        bytes_ += size;
        if (!main) small_bytes_ += size;
    }

    EntryPtr remove(Table::iterator at) {
        Node& node = at->second;
        Queue& queue = queue_of(node);
        queue.erase(queue.iterator_to(node));
        bytes_ -= node.size;
        if (!node.main) small_bytes_ -= node.size;
        EntryPtr entry = std::move(node.entry);
        table_.erase(at);
        return entry;
    }

    // Moves or removes one node; called only while the shard is not empty.
    void evict(WallTime now, Dead& dead) {
        const bool from_small = main_.empty() || small_bytes_ * 100 > capacity_ * kSmallPercent;
        Node& node = from_small && !small_.empty() ? small_.back() : main_.back();
        if (node.entry->kept_until() <= now) {
            ++evicted_ttl_;
            dead.push_back(remove(table_.find(*node.key)));
        } else if (!node.main && node.frequency >= kPromote) {
            promote(node);
        } else if (node.main && node.frequency > 0) {
            --node.frequency;
            main_.splice(main_.begin(), main_, main_.iterator_to(node));
        } else {
            ++evicted_size_;
            if (!node.main) ghosts_.insert(hash_of(*node.key), table_.size());
            dead.push_back(remove(table_.find(*node.key)));
        }
    }

    void promote(Node& node) {
        main_.splice(main_.begin(), small_, small_.iterator_to(node));
        node.main = true;
        node.frequency = 0;
        small_bytes_ -= node.size;
    }

    mutable std::mutex mutex_;
    std::uint64_t capacity_ = 0;
    std::uint64_t bytes_ = 0;
    std::uint64_t small_bytes_ = 0;
    std::uint64_t evicted_size_ = 0;
    std::uint64_t evicted_ttl_ = 0;
    std::uint64_t evicted_purge_ = 0;
    Table table_;
    Queue small_; // newest first
    Queue main_;  // newest first
    Ghosts ghosts_;
};

std::size_t shard_count(std::uint64_t capacity) {
    const std::uint64_t possible = std::clamp<std::uint64_t>(capacity / kMinShardBytes, 1, kMaxShards);
    return std::bit_floor(possible);
}

} // namespace

struct MemoryCache::Impl {
    explicit Impl(std::uint64_t capacity) : shards(shard_count(capacity)) {
        for (Shard& shard : shards) shard.set_capacity(capacity / shards.size());
    }
    Shard& shard_of(const Key& key) { return shards[key.back() & (shards.size() - 1)]; }

    std::vector<Shard> shards;
};

MemoryCache::MemoryCache(std::uint64_t capacity_bytes) : impl_(std::make_unique<Impl>(capacity_bytes)) {}

MemoryCache::~MemoryCache() {
    clear();
}

EntryPtr MemoryCache::get(const Key& key, WallTime now) {
    EntryPtr dead;
    return impl_->shard_of(key).get(key, now, dead);
}

void MemoryCache::put(const Key& key, EntryPtr entry, WallTime now) {
    if (!entry || entry->kept_until() <= now) return;
    Dead dead;
    impl_->shard_of(key).put(key, std::move(entry), now, dead);
}

void MemoryCache::remove(const Key& key) {
    const EntryPtr dead = impl_->shard_of(key).take_out(key);
}

void MemoryCache::clear() {
    for (Shard& shard : impl_->shards) {
        Dead dead;
        shard.clear(dead);
    }
}

void MemoryCache::shrink_to(std::uint64_t bytes, WallTime now) {
    for (Shard& shard : impl_->shards) {
        Dead dead;
        shard.shrink_to(bytes / impl_->shards.size(), now, dead);
    }
}

MemoryStats MemoryCache::stats() const {
    MemoryStats stats;
    for (const Shard& shard : impl_->shards) shard.add_to(stats);
    return stats;
}

} // namespace tollgate::cache
