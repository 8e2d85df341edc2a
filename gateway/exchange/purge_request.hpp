// What an operator may purge, and what the cache has: the bodies behind the admin listener. Any thread.
#pragma once

#include "gateway/base/error.hpp"
#include "gateway/exchange/worker_state.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace tollgate::exchange {

// A purge as JSON, exactly one of:
//   {"all":true} | {"model":"…"} | {"team":"…"} | {"tag":"…"} |
//   {"request":{…},"key":"ID"} with "endpoint" ("/v1/chat/completions" if absent) and "namespace"
// The names to purge (cache/purges.hpp): of an exact request its entry in the scope of that key, and those of its
// inputs. Errors: 400 with a sentence that says what is wrong; 404 for a key, team, model or endpoint that there is
// not.
[[nodiscard]] Result<std::vector<std::string>> purge_names(const Snapshot& snapshot, const crypto::Digest& cache_mac,
                                                           std::string_view json);

struct Purged {
    std::string what; // "model/gpt-4o-mini"
    std::string body; // JSON
};
// Carries it out; in force when it returns, in other processes within a second. The answer's body:
// {"purged":[…],"stamp":…}.
[[nodiscard]] Result<Purged> purge_cache(Shared& shared, const Snapshot& snapshot, std::string_view json);

// {"entries":…,"bytes":…,"capacity":…,"evicted":{"size":…,"ttl":…,"purge":…},"purges":…}
[[nodiscard]] std::string cache_stats(const Shared& shared);

} // namespace tollgate::exchange
