// The admin API in a running gateway: checks who asks, has the decision made, writes it into the store and puts it into
// effect.
#pragma once

#include "gateway/admin/decide.hpp"
#include "gateway/admin/guard.hpp"
#include "gateway/exchange/admin_pages.hpp"
#include "gateway/exchange/object_store.hpp"
#include "gateway/exchange/purge_request.hpp"
#include "metrics/registry.hpp"

#include <boost/asio/thread_pool.hpp>

#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <string>

namespace tollgate {

// On the main thread; what is slow runs on the store's thread and one of its own.
class AdminService final : public exchange::AdminPages {
  public:
    struct Gateway {
        config::Endpoint listener;
        std::string ledger_path;
        // Compiles `state` and hands it to the workers. Error: nothing has changed.
        std::function<std::expected<void, std::string>(const admin::State&)> publish;
        std::function<std::expected<void, std::string>()> reload;
        std::function<std::string()> cache_stats; // JSON
        // What a body says is to be purged, carried out.
        std::function<Result<exchange::Purged>(std::string_view)> purge;
    };
    // `state`: what was read at the start; the gateway's reloads replace its file.
    AdminService(exchange::ObjectStore& store, Secret token, admin::State& state, metrics::Registry& registry,
                 Gateway gateway);
    ~AdminService() override;

    Task<exchange::AdminPage> answer(exchange::AdminCall call) override;

  private:
    using Outcome = std::expected<admin::Answer, admin::Problem>;

    Task<Outcome> dispatch(admin::Call call);
    Task<Outcome> write_in_turn(admin::Call call);
    Task<Outcome> write(admin::Call call);
    Task<Outcome> reload(admin::Call call);
    Task<Outcome> purge(admin::Call call);
    Task<Outcome> usage(admin::Call call);
    Task<Outcome> audit(admin::Call call);
    Task<std::expected<void, std::string>> commit(policy::Change change, policy::AuditEvent event);
    void count(std::string_view action, std::string_view result);

    exchange::ObjectStore& store_;
    admin::TokenGuard guard_;
    admin::State& state_;
    metrics::Registry& registry_;
    metrics::Shard shard_;
    Gateway gateway_;
    asio::thread_pool reads_{1};
    bool writing_ = false; // one write at a time; the others wait in order
    std::deque<std::shared_ptr<Wakeup>> turns_;
};

} // namespace tollgate
