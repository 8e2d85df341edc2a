// Purges told to the other processes and learnt from them, over Redis: one sorted set, name by stamp, polled.
#pragma once

#include "cache/purges.hpp"
#include "cache/redis/client.hpp"
#include "gateway/base/task.hpp"

#include <string>

namespace tollgate::cache {

// Tells the news, then asks for what is later than the last that was learnt. False: Redis did not answer, or with
// nonsense; what was not told is told next time. `purges` and `client` outlive it; on the client's thread.
Task<bool> exchange_purges(Purges& purges, redis::Client& client, std::string prefix);

} // namespace tollgate::cache
