#include "gateway/exchange/refresh.hpp"

#include "gateway/base/log.hpp"
#include "gateway/exchange/exchange.hpp"
#include "gateway/exchange/forward.hpp"
#include "gateway/net/nowhere.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <exception>
#include <memory>

namespace tollgate::exchange {
namespace {

// What an exchange otherwise borrows from its client's connection.
struct Nobody {
    explicit Nobody(const Exchange& ex)
        : method(ex.head.method), query(ex.head.query), beta(ex.head.find("openai-beta").value_or("")),
          peer(std::string(ex.record.client_address)),
          channel(std::make_shared<net::Channel>(net::make_nowhere(), ex.worker.blocks, ex.worker.deadlines)) {
        head.method = method;
        head.path = ex.route->pattern; // static
        head.query = query;
        if (!beta.empty()) head.fields.push_back({"openai-beta", beta});
    }
    const std::string method, query, beta;
    http::RequestHead head;
    Peer peer;
    const net::ChannelPtr channel;
};

// Says that the key is free again, however its renewal ends.
class Turn {
  public:
    explicit Turn(const Exchange& ex) : worker_(ex.worker), key_(ex.cache.key) {}
    ~Turn() { worker_.shared.refreshes.end(key_, renewed_, Clock::now()); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    void renewed() noexcept { renewed_ = true; }

  private:
    WorkerState& worker_;
    const cache::Key key_;
    bool renewed_ = false;
};

void copy_question(const Exchange& from, Exchange& to) {
    to.background = true;
    to.method = from.method;
    to.match = from.match;
    to.match->object_id = {}; // a cacheable route has none
    to.route = from.route;
    to.principal = from.principal;
    to.body.memory = from.body.memory;
    to.content_type = from.content_type;
    to.view = from.view;
    to.model_name = from.model_name;
    to.model = from.model;
    to.wildcard = from.wildcard;
    to.cache.store = true;
    to.cache.key = from.cache.key;
    to.cache.ttl = from.cache.ttl;
    to.cache.stale = from.cache.stale;
    to.cache.purge_clock = from.worker.shared.purges.clock();
    to.cache.tags = from.cache.tags;
    to.record.route = from.record.route;
    to.record.operation = from.record.operation;
    to.record.key_id = to.principal->key_id;
    to.record.key_index = to.principal->index;
    to.record.team = to.principal->team;
    to.record.model = from.record.model == "other" ? from.record.model : std::string_view(to.model->name);
    to.record.model_index = from.record.model_index;
    to.record.stream = from.record.stream;
    to.record.cache = metrics::CacheResult::stale;
}

Task<void> renew(std::unique_ptr<Nobody> nobody, std::unique_ptr<Exchange> ex, std::unique_ptr<Turn> turn) {
    try {
        if (admit(*ex, false)) co_await forward(*ex);
        end_usage(*ex);
        if (ex->cache.stored) turn->renewed();
    } catch (const std::exception& failure) {
        log::error("renewing a stale answer ended in an exception", {{"error", failure.what()}});
        end_usage(*ex);
    }
    ex->worker.metrics.record_attempts(ex->record);
    nobody->channel->close();
}

} // namespace

void start_refresh(const Exchange& ex) {
    if (ex.worker.terminating || ex.worker.pressure != Pressure::none) return;
    if (!ex.worker.shared.refreshes.begin(ex.cache.key, Clock::now())) return;
    auto turn = std::make_unique<Turn>(ex);
    auto nobody = std::make_unique<Nobody>(ex);
    auto question = std::make_unique<Exchange>(ex.worker, *nobody->channel, nobody->peer, nobody->head, ex.snapshot);
    if (!question->held.grow_to(ex.body.memory.size(), ex.snapshot->config.body.held)) return;
    copy_question(ex, *question);
    asio::co_spawn(ex.worker.io, renew(std::move(nobody), std::move(question), std::move(turn)), asio::detached);
}

} // namespace tollgate::exchange
