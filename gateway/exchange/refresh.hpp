// Renewing an entry that was served stale: the same question again, with nobody waiting for the answer.
#pragma once

namespace tollgate::exchange {

struct Exchange;

// Asks the provider what `ex` asks, in the background, unless this key is being renewed already. It counts against the
// key's budget and limits as any call does, but for requests per minute. On the worker's thread; returns at once.
void start_refresh(const Exchange& ex);

} // namespace tollgate::exchange
