// Turns one RequestRecord into counter and histogram updates. One per worker: holds its handle cache and its shard.
#pragma once

#include "metrics/record.hpp"
#include "metrics/registry.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tollgate::metrics {

// Registers, at 0, the series known from the configuration: operations × models × outcomes and the errors they can end
// in, routes × statuses, providers, teams, keys (capped at 2,000, then "_other"), and all closed sets. Called at start
// and reload.
struct Vocabulary {
    std::vector<std::string> models;    // index = RequestRecord::model_index; [0] is "other"
    std::vector<std::string> upstreams; // index = AttemptRecord::upstream_index
    struct KeyRow {
        std::string id, team, alias;
    };
    std::vector<KeyRow> keys; // index = RequestRecord::key_index
    std::vector<std::string> teams;
    // The routes a request can take. Families per upstream and model are registered for these; other pairs on first
    // use.
    struct Pair {
        std::uint32_t model = 0, upstream = 0;
    }; // indices into the above
    std::vector<Pair> pairs;
    // Rows of the route table that some key may use; both words in static storage.
    struct RouteRow {
        std::string_view pattern, method;
    };
    std::vector<RouteRow> routes;
    struct OperationRow {
        std::string_view name; // static storage
        bool streams = false;
        bool models = false; // some of its requests name a model that works for them
        bool tokens = false; // and are charged by tokens: what a model is for, so durations of each are registered
    };
    std::vector<OperationRow> operations; // all of the route table: refusals are counted under them, too
};
// Large configurations register the cross products lazily, so that zeros never fill a family to its cap.
void register_vocabulary(Registry& registry, const Vocabulary& vocabulary);

// record() feeds: http_requests (every record); and for records with an operation requests, errors, client_requests,
// durations, first token, gap, overhead, body sizes, tokens, team and key views, cache_bypass, limit_rejections,
// upstream attempts with their durations and retries, and stream_interruptions. Everything else (lookups, stores,
// connections, streams_open, …) belongs to the code that knows it, through shard().
class RequestMetrics {
  public:
    RequestMetrics(Registry& registry, Shard shard);
    ~RequestMetrics();
    // The vocabulary that the indices of later records refer to (each worker gets it with the new snapshot).
    void use(std::shared_ptr<const Vocabulary> vocabulary);

    void started(std::string_view operation); // requests_in_flight +1; finished by record() with that operation
    void record(const RequestRecord& record);
    // Of calls that no client's request waits for: upstream attempts, durations and tokens only. In place of record().
    void record_attempts(const RequestRecord& record);
    // The usage of a request is settled: counts where it came from, before the answer's last octets leave. At most
    // once.
    void used(const RequestRecord& record);
    [[nodiscard]] Shard& shard() noexcept;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace tollgate::metrics
