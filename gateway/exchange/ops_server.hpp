// /metrics, /livez and /readyz on their own listeners and thread, away from the requests they describe.
#pragma once

#include "gateway/exchange/worker_state.hpp"
#include "gateway/net/listener.hpp"

#include <memory>
#include <string>
#include <vector>

namespace tollgate::exchange {

// All members on the thread of `io`.
class OpsServer {
  public:
    OpsServer(asio::io_context& io, Shared& shared);
    ~OpsServer();

    // `name` is the listener label: "metrics" or "admin".
    [[nodiscard]] std::expected<void, std::string> listen(const config::Endpoint& endpoint, std::string name);
    void stop();

  private:
    Task<void> serve(net::TcpSocket socket, std::string name);
    Task<bool> answer(net::Channel& client, const std::string& name);
    Task<void> tick();
    void watch_memory(TimePoint now);

    asio::io_context& io_;
    Shared& shared_;
    DeadlineList deadlines_;
    net::BlockPool blocks_;
    net::SteadyTimer timer_;
    std::vector<std::unique_ptr<net::Listener>> listeners_;
    metrics::RequestMetrics metrics_;
    unsigned open_ = 0;
    TimePoint memory_due_{}; // of the next look at the process' memory
    TimePoint trim_due_{};
    TimePoint look_due_{};
    bool stopping_ = false;
};

} // namespace tollgate::exchange
