// One client connection: heads in, exchanges one after another, keep-alive, refusals, lingering close.
#pragma once

#include "gateway/exchange/worker_state.hpp"
#include "gateway/net/channel.hpp"

#include <string>

namespace tollgate::exchange {

// Ends when the connection does. Never throws.
Task<void> run_session(WorkerState& worker, net::ChannelPtr client, std::string address);

} // namespace tollgate::exchange
