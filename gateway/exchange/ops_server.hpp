// /metrics, /livez, /readyz and the admin API on their own listeners and thread, away from the requests they describe.
#pragma once

#include "gateway/exchange/admin_pages.hpp"
#include "gateway/exchange/worker_state.hpp"
#include "gateway/http/message.hpp"
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
    // Who answers below /admin/v1 on the listener named "admin"; nobody: 404.
    void serve_admin(AdminPages& pages) noexcept { admin_ = &pages; }
    void stop();

  private:
    struct Client;
    Task<void> serve(net::TcpSocket socket, std::string name, std::string address);
    void admit(net::TcpSocket socket, const std::string& name, const std::string& address);
    Task<bool> read_body(Client& client, const http::RequestHead& head, AdminCall& call);
    Task<bool> answer_admin(Client& client, const http::RequestHead& head, bool keep);
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
    AdminPages* admin_ = nullptr;
    std::list<Client*> clients_; // the oldest first
    unsigned open_ = 0;
    TimePoint memory_due_{}; // of the next look at the process' memory
    TimePoint trim_due_{};
    TimePoint look_due_{};
    bool stopping_ = false;
};

} // namespace tollgate::exchange
