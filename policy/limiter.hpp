// Requests per minute: exact token buckets, all scopes of a principal decided in one step.
#pragma once

#include "config/config.hpp"
#include "gateway/base/time.hpp"
#include "policy/principal.hpp"
#include "policy/token_bucket.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace tollgate::policy {

// Guards every bucket of one org. On a cache line of its own: workers of other orgs must not feel it.
struct alignas(64) OrgMutex {
    std::mutex mutex;
};

// One limited scope. `tokens` only under `org->mutex`.
class Bucket {
  public:
    Bucket(std::shared_ptr<OrgMutex> org_mutex, TokenBucket bucket) : org(std::move(org_mutex)), tokens(bucket) {}

    const std::shared_ptr<OrgMutex> org;
    TokenBucket tokens;
};

// What the client is told about the most constrained scope.
struct LimitView {
    std::string_view scope_kind; // "key", "team", "org"; views into the Principal
    std::string_view scope_name;
    std::uint64_t limit = 0; // requests per minute
    std::uint64_t remaining = 0;
    Duration reset{}; // until the bucket is full again
    Duration next{};  // until `remaining` is one larger; zero if the bucket is full
};

struct Admission {
    bool admitted = true;
    // Smallest remaining/limit; ties: key before team before org. After a denial it is the scope the denial names.
    std::optional<LimitView> tightest; // absent if no scope has a limit
    std::optional<Error> denial;       // set iff !admitted: 429 with scope, numbers, Retry-After
};

// Owner of all buckets. Thread-safe: one mutex per org, taken once per decision and held for integer arithmetic only;
// a principal without any limit takes no lock.
//
// Buckets survive reloads by (org, kind, name) as long as some Principal, of the old or the new configuration, still
// refers to them. A limit that is removed is forgotten with the last such Principal; added again later it starts full.
// A key that moves to another org starts full as well.
class Limiter {
  public:
    // Called at load for every scope with a limit (`limits.rpm` is set); returns the existing bucket, reconfigured, if
    // there is one. It takes effect at once for running requests too, so a load that can still fail must not have come
    // here yet. Throws std::invalid_argument for an absent or zero rpm or a zero burst.
    [[nodiscard]] std::shared_ptr<Bucket> bucket(const std::string& org, const std::string& kind,
                                                 const std::string& name, const config::Limits& limits, TimePoint now);

    // Decides and takes one request from every scope, or from none.
    [[nodiscard]] Admission admit(const Principal& principal, TimePoint now);
    // The same decision without taking anything: for refusing before the body is read.
    [[nodiscard]] Admission peek(const Principal& principal, TimePoint now) const;

  private:
    void prune();

    using ScopeKey = std::tuple<std::string, std::string, std::string>; // org, kind, name

    std::mutex registry_mutex_; // load time only; never taken by admit or peek
    std::map<std::string, std::weak_ptr<OrgMutex>> orgs_;
    std::map<ScopeKey, std::weak_ptr<Bucket>> buckets_;
    std::size_t prune_at_ = 64; // entries at which dead ones are looked for again
};

} // namespace tollgate::policy
