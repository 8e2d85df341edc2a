// What the whole process shares, what one worker owns, and the immutable snapshot every request reads once.
#pragma once

#include "cache/flight.hpp"
#include "cache/flight_lease.hpp"
#include "cache/idempotency.hpp"
#include "cache/memory_cache.hpp"
#include "cache/purges.hpp"
#include "cache/raw_keys.hpp"
#include "cache/redis/client.hpp"
#include "cache/refreshes.hpp"
#include "cache/store.hpp"
#include "config/config.hpp"
#include "gateway/alerts/sender.hpp"
#include "gateway/api/answer_view.hpp"
#include "gateway/api/prompt_text.hpp"
#include "gateway/api/request_view.hpp"
#include "gateway/base/crypto.hpp"
#include "gateway/base/request_id.hpp"
#include "gateway/exchange/habits.hpp"
#include "gateway/exchange/object_store.hpp"
#include "gateway/exchange/overload.hpp"
#include "gateway/net/descriptors.hpp"
#include "gateway/net/permits.hpp"
#include "gateway/net/resolver.hpp"
#include "gateway/net/sources.hpp"
#include "gateway/upstream/attempt.hpp"
#include "gateway/upstream/catalog.hpp"
#include "gateway/upstream/pool.hpp"
#include "metrics/access_log.hpp"
#include "metrics/request_metrics.hpp"
#include "policy/directory.hpp"
#include "policy/failed_keys.hpp"
#include "policy/ledger/ledger.hpp"
#include "policy/price/book.hpp"
#include "policy/quota/engine.hpp"
#include "policy/tokens/tokenizers.hpp"

#include <boost/intrusive/list.hpp>

#include <atomic>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <unordered_map>

namespace tollgate::exchange {

// One configuration, compiled. Requests hold it until they end; a reload makes a new one.
struct Snapshot {
    config::Config config;
    std::shared_ptr<const upstream::Catalog> catalog;
    policy::Directory directory;
    std::shared_ptr<const metrics::Vocabulary> vocabulary;
    policy::PriceBook prices;
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

// Keys derived from the master secret, one per purpose (R22).
struct DerivedKeys {
    crypto::Digest pepper;
    crypto::Digest cache_mac;
    crypto::Digest cache_seal;
};

// A TLS handshake costs a millisecond of a core and up to 100 KB; beyond this many at once (reliability §5.7, T30)
// connections are closed unanswered. A quarter is the most that one source address may have of them.
inline constexpr unsigned kMaxHandshakes = 1024;

// Thread-safe services; they outlive the workers.
struct Shared {
    Shared(const config::Config& config, DerivedKeys derived, ObjectStore& object_store, metrics::LogSink& sink,
           metrics::Registry& metrics_registry, const net::DescriptorBudget& descriptor_budget)
        : keys(derived), cache(config.cache.memory), descriptors(descriptor_budget),
          idle_upstream(descriptors.idle_upstream), objects(object_store), access_log(sink),
          registry(metrics_registry) {}

    DerivedKeys keys;
    policy::quota::Engine quota;
    policy::ledger::Ledger* ledger = nullptr; // both set before anything is served
    alerts::Sender* alerts = nullptr;
    tokens::Tokenizers tokenizers; // likewise; empty without rank files
    cache::MemoryCache cache;
    cache::Refreshes refreshes;
    cache::Purges purges;
    cache::FlightDirectory flights;
    cache::IdempotencyKeys idempotency;
    net::Resolver resolver;
    net::Sources sources; // of the connections on the api listener
    policy::FailedKeys failed_keys;
    net::Permits handshakes{kMaxHandshakes};
    net::Sources handshake_sources; // of the permits above
    const net::DescriptorBudget descriptors;
    net::Permits idle_upstream;
    ObjectStore& objects;
    metrics::LogSink& access_log;
    metrics::Registry& registry;
    std::atomic<std::uint64_t> held_bytes{0};   // request octets in memory
    std::atomic<unsigned> connections{0};       // on the api listener
    std::atomic<std::uint64_t> memory_limit{0}; // octets; 0: none known
    std::atomic<Pressure> memory_pressure{Pressure::none};
    std::atomic<bool> draining{false}; // answers carry Connection: close, readiness is off
    std::atomic<bool> stuck{false};    // an event loop does not turn any more: liveness is off
    std::string pseudonym;             // in Via: "tollgate-3f9a1c"
};

// Work that a stopping worker ends early and in order: its answer gets an error rather than a mere end (F76).
class Interruptible
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  public:
    virtual void on_shutdown() = 0;

  protected:
    ~Interruptible() = default;
};

class FlightPort;

// Owned by one worker, touched only from its thread.
struct WorkerState {
    WorkerState(asio::io_context& context, Shared& process, SnapshotPtr initial);

    asio::io_context& io;
    Shared& shared;
    SnapshotPtr snapshot;
    DeadlineList deadlines;
    net::BlockPool blocks;
    upstream::Pool pool;
    api::RequestReader request_reader;
    api::AnswerReader answer_reader;
    api::PromptReader prompt_reader;
    Habits habits;
    crypto::Hmac cache_mac;
    cache::RawKeys raw_keys{4 << 20};
    RequestIds request_ids;
    std::minstd_rand random;
    metrics::RequestMetrics metrics;
    metrics::Gauge streams_open;
    metrics::Histogram limit_check, memory_lookup, redis_lookup, redis_latency;
    metrics::Counter collapsed;                  // look-ups that another one's call answered
    std::unique_ptr<redis::Client> redis;        // null without Redis
    std::unique_ptr<cache::FlightLeases> leases; // null if calls are not shared with other processes
    cache::ResponseStore responses;
    std::string log_lines; // access-log lines of this tick
    std::uint32_t log_line_count = 0;
    std::string date_line; // "date: …\r\n", refreshed by the tick
    LoopLag lag;
    Pressure pressure = Pressure::none; // renewed by the tick
    bool last_answers = false;          // drain.delay is over: no connection outlives its answer
    bool terminating = false;           // connections end because the process does
    boost::intrusive::list<Interruptible, boost::intrusive::constant_time_size<false>> running;
    std::unordered_map<const cache::Flight*, FlightPort*> flight_ports; // of the flights that are followed here
    std::uint64_t requests = 0, retries = 0;                            // retry budget: at most one in ten

    void use(SnapshotPtr next); // a reload: later requests see it, running ones keep theirs
    void observe_connect(const upstream::Provider& provider, const net::DialTimes& times);
    void flush_log();
    void interrupt_running(); // what starts later sees `terminating`

    // Open upstream connections, published by the tick.
    void publish_connections();

    struct ProviderMetrics {
        std::string name;
        metrics::Histogram dns, tcp, tls;
        metrics::Gauge active, idle;
        std::int64_t idle_published = 0;
    };
    std::vector<ProviderMetrics> provider_metrics; // by provider index of the current snapshot

    // Those of a provider that may be of an older configuration, where its index meant something else; null if there is
    // none of that name any more.
    [[nodiscard]] static const ProviderMetrics* find_metrics(std::span<const ProviderMetrics> all,
                                                             const upstream::Provider& provider);

    [[nodiscard]] upstream::Surroundings surroundings() { return {io, blocks, deadlines, shared.resolver, pool}; }
};

} // namespace tollgate::exchange
