// Identical calls in flight share one (design §10): a log that its leader appends to and any number of workers read,
// and the directory that decides who leads and who follows. Sans-I/O; time is an argument.
#pragma once

#include "cache/entry.hpp"
#include "gateway/base/error.hpp"
#include "gateway/base/time.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tollgate::cache {

enum class FlightForm : std::uint8_t { json, events, events_with_usage };

// What every answer of a flight begins with. Immutable once published.
struct FlightHead {
    FlightForm form = FlightForm::json;
    bool tells_usage = true; // so that an answer in another form can be made of it
    int status = 200;
    std::string content_type;
    std::string fields;                        // complete header lines that came from the provider
    std::optional<std::uint64_t> length;       // of the whole body, if it was known at the start
    std::string upstream, upstream_request_id; // for the headers of the followers
};
using FlightHeadPtr = std::shared_ptr<const FlightHead>;
using FlightSegment = std::shared_ptr<const std::string>;

enum class FlightEnd : std::uint8_t {
    running,
    complete,  // the log is a whole answer
    failed,    // `error` is what every follower tells its client
    abandoned, // nothing was published: the followers choose another leader
};

// Told that a flight has news. Called on the leader's thread with the flight's lock held: it only posts.
class FlightListener {
  public:
    virtual ~FlightListener() = default;
    virtual void on_news() = 0;
};

class FlightDirectory;

// One call and its answer so far. Thread-safe; the members of the leader are for one thread at a time.
class Flight {
  public:
    // `election`: how many leaders before this one failed without an octet of an answer.
    Flight(const Key& key, unsigned election, std::uint64_t max_octets)
        : key_(key), election_(election), max_octets_(max_octets) {}

    // --- leader
    void begin(FlightHead head);
    // A copy; `last`: the answer is complete with it. False once the log has outgrown `max_octets`: it is a window
    // then, and nobody may join any more.
    bool append(std::string_view octets, bool last);
    // The data of the event that tells what was used, where the log lacks it because nobody who reads it wants it.
    void note_usage(std::string_view data);
    // What the whole answer cost its leader, before its last octets are appended.
    void note_cost(std::optional<std::int64_t> nano);
    void fail(Error error);
    // `next_election`: what the next flight for this question begins with.
    void abandon(unsigned next_election);
    // The followers' number has become 0, or has left it. Called on a follower's thread: it only posts. Before the
    // first follower; null when the leader ends.
    void on_wanted(std::function<void()> post);

    // --- followers; each was counted when it joined
    void attach(std::shared_ptr<FlightListener> listener);
    void detach(const FlightListener& listener);
    void leave();

    // What a worker knows of the log. Positions count segments from the flight's first on.
    struct Reading {
        FlightHeadPtr head;
        std::uint64_t first = 0; // position of segments.front(); what came before is gone
        std::vector<FlightSegment> segments;
        std::string usage;                // once complete: what note_usage() was told
        std::optional<std::int64_t> cost; // nano-USD, once complete; absent: it has no price
        FlightEnd end = FlightEnd::running;
        std::optional<Error> error; // with FlightEnd::failed
        unsigned next_election = 0; // with FlightEnd::abandoned
        [[nodiscard]] std::uint64_t next() const noexcept { return first + segments.size(); }
    };
    // Adds what is new to `reading`, and drops what has left the window.
    void read(Reading& reading) const;

    [[nodiscard]] const Key& key() const noexcept { return key_; }
    [[nodiscard]] unsigned election() const noexcept { return election_; }
    [[nodiscard]] std::size_t followers() const;

  private:
    friend class FlightDirectory;
    void enter();
    void trim(std::vector<FlightSegment>& gone);
    void tell();

    const Key key_;
    const unsigned election_;
    const std::uint64_t max_octets_;
    mutable std::mutex mutex_;
    FlightHeadPtr head_;
    std::uint64_t first_ = 0;
    std::vector<FlightSegment> segments_;
    std::uint64_t octets_ = 0; // of the segments, with what they cost beside their text
    std::string usage_;
    std::optional<std::int64_t> cost_;
    bool outgrown_ = false;
    FlightEnd end_ = FlightEnd::running;
    std::optional<Error> error_;
    unsigned next_election_ = 0;
    std::size_t followers_ = 0;
    std::function<void()> wanted_;
    std::vector<std::shared_ptr<FlightListener>> listeners_;
};
using FlightPtr = std::shared_ptr<Flight>;

// Which calls are in flight. Thread-safe, sharded; a lock is held for one look-up.
class FlightDirectory {
  public:
    enum class Role : std::uint8_t {
        lead,   // the flight is new and listed: the caller must end and remove it
        follow, // counted as a follower: the caller must leave()
        alone,  // answers to this question cannot be kept: each goes by itself
        failed, // those who chose leaders after the caller's flight have given up meanwhile, with `error`
    };
    struct Joined {
        Role role = Role::alone;
        FlightPtr flight;
        std::optional<Error> error{};
    };

    // `regardless`: also where such requests are to go by themselves.
    [[nodiscard]] Joined join(const Key& key, unsigned election, std::uint64_t max_octets, TimePoint now,
                              bool regardless = false);
    // Nobody joins from here on. Who joined stays.
    void remove(const Flight& flight);
    // The same if it has no followers; false: it has.
    [[nodiscard]] bool remove_unfollowed(const Flight& flight);
    // A flight is about to be abandoned with this election, or to fail with `error` for good: who hears of it late,
    // with an election of its own, does not begin another row of calls (scenario 84).
    void note_election(const Key& key, unsigned election, std::optional<Error> error, TimePoint now);
    // For a while requests of this key neither lead nor follow.
    void part(const Key& key, TimePoint until, TimePoint now);

    [[nodiscard]] std::size_t size() const; // flights that may be joined

  private:
    struct FirstOctets {
        std::size_t operator()(const Key& key) const noexcept;
    };
    struct Shard {
        mutable std::mutex mutex;
        std::unordered_map<Key, FlightPtr, FirstOctets> flights;
        std::unordered_map<Key, TimePoint, FirstOctets> parted;
        struct Elected {
            unsigned election = 0;
            std::optional<Error> error;
            TimePoint until;
        };
        std::unordered_map<Key, Elected, FirstOctets> elected;
    };
    static constexpr Duration kElectedFor = std::chrono::seconds(10); // how late a follower may hear of it
    static constexpr std::size_t kShards = 64;
    static constexpr std::size_t kMostParted = 1024; // of a shard

    [[nodiscard]] Shard& shard_of(const Key& key) { return shards_[key.back() % kShards]; }

    std::array<Shard, kShards> shards_;
};

} // namespace tollgate::cache
