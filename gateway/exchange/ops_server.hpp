// /metrics, /livez and /readyz on their own listeners and thread, away from the requests they describe.
#pragma once

#include "gateway/exchange/worker_state.hpp"
#include "gateway/net/listener.hpp"

#include <list>
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
    struct Client;
    void admit(net::TcpSocket socket, const std::string& name);
    bool make_room();
    Task<bool> answer(Client& client, const std::string& name, Duration patience);
    Task<bool> read_head(Client& client, std::string& text, Duration patience);
    Task<void> tick();
    void watch_memory(TimePoint now);

    asio::io_context& io_;
    Shared& shared_;
    DeadlineList deadlines_;
    net::BlockPool blocks_;
    net::SteadyTimer timer_;
    std::vector<std::unique_ptr<net::Listener>> listeners_;
    metrics::RequestMetrics metrics_;
    std::list<Client*> clients_; // the oldest first
    unsigned open_ = 0;
    TimePoint memory_due_{}; // of the next look at the process' memory
    TimePoint trim_due_{};
    TimePoint look_due_{};
    bool stopping_ = false;
};

} // namespace tollgate::exchange
