// One client connection: heads in, exchanges one after another, keep-alive, refusals, lingering close.
#pragma once

#include "gateway/exchange/worker_state.hpp"
#include "gateway/net/channel.hpp"

#include <string>
#include <string_view>

namespace tollgate::exchange {

// Names of the clocks a connection waits on between requests; a drain ends such waits.
inline constexpr std::string_view kFirstRequest = "first request";
inline constexpr std::string_view kRequestHead = "request head";
inline constexpr std::string_view kKeepAlive = "keep-alive";

// Ends when the connection does. Never throws.
Task<void> run_session(WorkerState& worker, net::ChannelPtr client, std::string address);

} // namespace tollgate::exchange
