#include "cache/store.hpp"

#include "cache/redis_names.hpp"
#include "cache/seal.hpp"

#include <algorithm>
#include <utility>

namespace tollgate::cache {
namespace {

// What an encoded entry may hold beside its body: content type, names, header.
constexpr std::uint64_t kHeaderRoom = 4096;

// KEYS: entry, epoch. ARGV: value, milliseconds, epoch, channel. A later holder of the lease is believed more.
constexpr std::string_view kFencedSet = R"lua(
local latest = redis.call('GET', KEYS[2])
if latest and tonumber(latest) > tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return redis.call('PUBLISH', ARGV[4], 'kept'))lua";

std::uint64_t beside_body(const Entry& entry) {
    return entry.bytes() - entry.body.size();
}

} // namespace

ResponseStore::ResponseStore(MemoryCache& memory, redis::Client* client, const crypto::Digest& seal_key,
                             std::string prefix, std::uint64_t max_entry)
    : memory_(memory), client_(client), seal_key_(seal_key), prefix_(std::move(prefix)), max_entry_(max_entry) {}

EntryPtr ResponseStore::get_memory(const Key& key, WallTime now) {
    EntryPtr entry = memory_.get(key, now);
    if (entry && entry->expires > now) ++stats_.memory_hits;
    return entry;
}

Task<Found> ResponseStore::get(Key key, WallTime now) {
    Found found;
    EntryPtr mine = get_memory(key, now);
    if (mine && mine->expires > now) co_return Found{std::move(mine), Tier::memory};
    if (client_ != nullptr) {
        std::string command;
        const std::string name = redis_key(key);
        redis::append_command(command, {"GET", name});
        const auto reply = co_await client_->command(std::move(command));
        found = from_redis(key, reply, mine.get(), now);
    }
    if (!found.entry && mine) {
        ++stats_.stale;
        found.entry = std::move(mine);
        found.tier = Tier::memory;
    } else if (!found.entry) {
        ++stats_.misses;
    }
    co_return found;
}

Task<std::vector<EntryPtr>> ResponseStore::get_redis(std::vector<Key> keys, WallTime now) {
    std::vector<EntryPtr> found(keys.size());
    constexpr std::size_t kAtOnce = 256; // of a reply's array
    for (std::size_t begin = 0; begin < keys.size(); begin += kAtOnce) {
        const std::size_t end = std::min(keys.size(), begin + kAtOnce);
        if (client_ == nullptr || !client_->connected()) {
            stats_.misses += end - begin;
            continue;
        }
        if (client_->keys_are_spread()) {
            for (std::size_t i = begin; i < end; ++i) found[i] = (co_await get(keys[i], now)).entry;
            continue;
        }
        std::vector<std::string> words{"MGET"};
        for (std::size_t i = begin; i < end; ++i) words.push_back(redis_key(keys[i]));
        std::string command;
        redis::append_command(command, words);
        const auto reply = co_await client_->command(std::move(command));
        const bool usable = reply && reply->kind == redis::Reply::Kind::array && reply->elements.size() == end - begin;
        for (std::size_t i = begin; i < end; ++i) {
            if (usable)
                found[i] = from_redis(keys[i], reply->elements[i - begin], nullptr, now).entry;
            else
                ++stats_.redis_errors;
            if (!found[i]) ++stats_.misses;
        }
    }
    co_return found;
}

Found ResponseStore::from_redis(const Key& key, const std::expected<redis::Reply, redis::Failure>& reply,
                                const Entry* mine, WallTime now) {
    Found found;
    const bool usable = reply && (reply->kind == redis::Reply::Kind::string || reply->kind == redis::Reply::Kind::nil);
    if (!usable) {
        ++stats_.redis_errors;
        found.redis_error = true;
        return found;
    }
    if (reply->kind == redis::Reply::Kind::nil) return found;
    EntryPtr entry = open_entry(seal_key_, key, reply->text, max_entry_ + kHeaderRoom);
    if (!entry) {
        ++stats_.corrupt;
        return found;
    }
    // Redis counts the TTL by its own clock and an entry can be replayed: the sealed time decides.
    if (entry->kept_until() <= now || (mine != nullptr && mine->expires >= entry->expires)) return found;
    ++stats_.redis_hits;
    memory_.put(key, entry, now);
    found.entry = std::move(entry);
    found.tier = Tier::redis;
    return found;
}

void ResponseStore::put(const Key& key, EntryPtr entry, WallTime now, std::uint64_t epoch) {
    if (!entry) return;
    const auto ttl = std::chrono::duration_cast<std::chrono::milliseconds>(entry->kept_until() - now);
    if (ttl.count() <= 0) return;
    if (entry->body.size() > max_entry_ || beside_body(*entry) > kHeaderRoom) {
        ++stats_.too_large;
        return;
    }
    if (client_ != nullptr && client_->connected()) {
        std::string command;
        const std::string sealed = seal_entry(seal_key_, key, *entry);
        const std::string time = std::to_string(ttl.count());
        if (epoch == 0) {
            redis::append_command(command, {"SET", redis_key(key), sealed, "PX", time});
        } else {
            redis::append_command(command,
                                  {"EVAL", kFencedSet, "2", redis_key(key), redis_name(prefix_, kEpochKind, key),
                                   sealed, time, std::to_string(epoch), redis_name(prefix_, kNewsKind, key)});
        }
        client_->post(std::move(command));
    }
    memory_.put(key, std::move(entry), now);
}

std::string ResponseStore::redis_key(const Key& key) const {
    return redis_name(prefix_, kEntryKind, key);
}

} // namespace tollgate::cache
