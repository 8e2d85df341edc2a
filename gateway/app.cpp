#include "gateway/app.hpp"

#include "config/load.hpp"
#include "gateway/admin_service.hpp"
#include "gateway/base/log.hpp"
#include "gateway/exchange/ops_server.hpp"
#include "gateway/exchange/worker.hpp"
#include "gateway/first_key.hpp"
#include "gateway/open_ledger.hpp"
#include "gateway/process/confine.hpp"
#include "gateway/process/harden.hpp"
#include "gateway/process/notify.hpp"
#include "gateway/process/watchdog.hpp"
#include "gateway/reload.hpp"
#include "metrics/families.hpp"

#include <boost/asio/signal_set.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <unistd.h>

namespace tollgate {
namespace {

using metrics::Family;

// Connections that cannot have their descriptors are refused at the door instead of failing later.
config::Config capped(config::Config config, const net::DescriptorBudget& descriptors) {
    if (config.listen.max_connections <= descriptors.clients) return config;
    const bool asked_for = config.listen.max_connections != config::Listen{}.max_connections;
    const auto say = asked_for ? log::warning : log::info;
    say("listen.max_connections is lowered to what the limit on open files allows",
        {{"max_connections", std::to_string(config.listen.max_connections)},
         {"effective", std::to_string(descriptors.clients)},
         {"open_files", std::to_string(descriptors.limit)}});
    config.listen.max_connections = descriptors.clients;
    return config;
}

// What runs when drain.timeout is over, or a second signal came, may take so long to tell its client (F76).
constexpr auto kLastWords = std::chrono::seconds(1);

constexpr auto kReapPeriod = std::chrono::seconds(5);

// A look-up that a name server answers ends within it.
constexpr auto kLookUpPatience = std::chrono::milliseconds(100);

exchange::DerivedKeys derive(const Secret& master) {
    return {crypto::hkdf_sha256(master.reveal(), "key-pepper/v1"), crypto::hkdf_sha256(master.reveal(), "cache-mac/v1"),
            crypto::hkdf_sha256(master.reveal(), "cache-seal/v1")};
}

std::string make_pseudonym() {
    std::array<std::uint8_t, 4> random{};
    crypto::random_bytes(random);
    return "tollgate-" + crypto::to_hex(random);
}

// Without the rank files nothing is wrong, only less exact: said once.
tokens::Tokenizers load_tokenizers(const config::Tokenizers& settings) {
    if (settings.max_body == 0) return {};
    auto loaded = tokens::Tokenizers::load(settings.path);
    if (loaded) return std::move(*loaded);
    const auto say = settings.path == config::Tokenizers{}.path ? log::info : log::warning;
    say("tokens of inputs are bounded by their octets: no tokenizer was loaded (deploy/fetch-tokenizers)",
        {{"why", loaded.error()}});
    return {};
}

int refuse(std::string_view why) {
    log::error("tollgate cannot start", {{"error", why}});
    return 1;
}

std::string url(const config::Endpoint& endpoint, bool tls = false) {
    const bool v6 = endpoint.host.find(':') != std::string::npos;
    return fmt::format("{}://{}{}{}:{}", tls ? "https" : "http", v6 ? "[" : "", endpoint.host, v6 ? "]" : "",
                       endpoint.port);
}

// The main thread: signals, the ops listeners, reloads, the drain.
class Main {
  public:
    Main(admin::State state, exchange::Shared& shared, const net::DescriptorBudget& descriptors)
        : state_(std::move(state)), started_(state_.file), shared_(shared), descriptors_(descriptors),
          ops_(io_, shared), signals_(io_, SIGTERM, SIGINT), reload_signals_(io_, SIGHUP, SIGUSR1), drain_timer_(io_),
          watch_timer_(io_), reap_timer_(io_) {}

    std::expected<void, std::string> start() {
        auto compiled = prepare(state_);
        if (!compiled) return std::unexpected(compiled.error());
        use(*compiled);
        note_reload(true);
        if (auto ok = serve_admin(); !ok) return ok;
        if (auto ok = listen_ops(); !ok) return ok;
        if (auto ok = net::probe_endpoint(state_.file.listen.api.host, state_.file.listen.api.port); !ok) return ok;
        const unsigned count = state_.file.listen.workers != 0 ? state_.file.listen.workers
                                                               : std::max(1U, std::thread::hardware_concurrency());
        for (unsigned i = 0; i < count; ++i) {
            workers_.push_back(std::make_unique<exchange::Worker>(shared_, compiled->snapshot, compiled->tls));
            if (auto ok = workers_.back()->listen(state_.file.listen.api); !ok) return ok;
        }
        watch_pressure();
        shared_.alerts->start();
        for (auto& worker : workers_) worker->start();
        log_start(*compiled->snapshot, count);
        notifier_.ready(status());
        return {};
    }

    // False: a name is still being looked up, see Resolver::stop().
    [[nodiscard]] bool run() {
        await_stop();
        await_reload();
        watch_loops();
        reap();
        io_.run();
        for (auto& worker : workers_) worker->join();
        shared_.alerts->stop(kLastWords);
        return shared_.resolver.stop(kLookUpPatience); // its threads post to the workers' contexts, which go next
    }

    // A start that failed half-way: workers that were made but never started own nothing that waits.
    void abandon() { ops_.stop(); }

  private:
    std::expected<void, std::string> listen_ops() {
        const auto& listen = state_.file.listen;
        if (listen.metrics) {
            if (auto ok = ops_.listen(*listen.metrics, "metrics"); !ok) return ok;
        }
        if (listen.admin) {
            if (auto ok = ops_.listen(*listen.admin, "admin"); !ok) return ok;
        }
        return {};
    }

    void log_start(const exchange::Snapshot& snapshot, unsigned workers) const {
        const auto& listen = state_.file.listen;
        log::info("tollgate is ready", {{"version", TOLLGATE_VERSION},
                                        {"config", state_.file.file},
                                        {"config_hash", state_.file.hash},
                                        {"api", url(listen.api, listen.tls.has_value())},
                                        {"metrics", listen.metrics ? url(*listen.metrics)
                                                    : listen.admin ? url(*listen.admin)
                                                                   : "off"},
                                        {"workers", std::to_string(workers)},
                                        {"models", std::to_string(snapshot.catalog->models().size())},
                                        {"providers", std::to_string(snapshot.catalog->providers().size())},
                                        {"keys", std::to_string(snapshot.directory.principals().size())}});
    }

    // One series per step, exactly one of them 1: that of the worker under the highest pressure.
    void watch_pressure() {
        for (const exchange::Pressure step : exchange::kPressures) {
            shared_.registry.gauge_source(Family::overload_state, {exchange::to_string(step)}, [this, step] {
                exchange::Pressure highest = exchange::Pressure::none;
                for (const auto& worker : workers_) highest = std::max(highest, worker->pressure());
                return highest == step ? 1.0 : 0.0;
            });
        }
    }

    void use_limits(const config::Config& config) {
        const std::uint64_t memory = config.overload.memory;
        const std::uint64_t limit = memory != 0 ? memory : exchange::memory_available();
        shared_.memory_limit.store(limit, std::memory_order_relaxed);
        if (limit == 0 || config.cache.memory <= limit / 2) return;
        log::warning("cache.memory is more than half of what the process may use; under pressure the cache gives way",
                     {{"cache_bytes", std::to_string(config.cache.memory)}, {"limit_bytes", std::to_string(limit)}});
    }

    [[nodiscard]] std::string status() const {
        return fmt::format("Serving {} with {} workers, configuration {}",
                           url(started_.listen.api, started_.listen.tls.has_value()), workers_.size(),
                           state_.file.hash);
    }

    // Reservations that nobody settles any more are charged and freed.
    void reap() {
        reap_timer_.expires_after(kReapPeriod);
        reap_timer_.async_wait([this](boost::system::error_code error) {
            if (error || finished_) return;
            auto reaped = shared_.quota.reap({Clock::now(), WallClock::now()});
            shared_.alerts->tell(std::move(reaped.crossings));
            if (!reaped.ids.empty())
                log::error("reservations that nobody settled were charged",
                           {{"count", std::to_string(reaped.ids.size())}});
            reap();
        });
    }

    // Every loop, this one by getting here: a bare timer would stay green over stuck workers.
    void watch_loops() {
        const process::WatchPlan plan = process::watch_plan(watchdog_);
        watch_timer_.expires_after(plan.period);
        watch_timer_.async_wait([this, plan](boost::system::error_code error) {
            if (error || finished_) return;
            std::vector<TimePoint> turns;
            for (const auto& worker : workers_) turns.push_back(worker->last_turn());
            const TimePoint now = Clock::now();
            const bool stuck = process::stuck_loop(turns, now, process::kStuckAfter).has_value();
            if (stuck && !shared_.stuck.load(std::memory_order_relaxed)) log::error("an event loop is stuck");
            shared_.stuck.store(stuck, std::memory_order_relaxed);
            if (watchdog_ && !process::stuck_loop(turns, now, plan.limit)) notifier_.alive();
            watch_loops();
        });
    }

    void note_reload(bool success) {
        shared_.registry.gauge_source(Family::config_last_reload_success, {},
                                      [success] { return success ? 1.0 : 0.0; });
        if (!success) return;
        const auto now = std::chrono::duration<double>(WallClock::now().time_since_epoch()).count();
        shared_.registry.gauge_source(Family::config_last_reload_timestamp_seconds, {}, [now] { return now; });
    }

    void await_reload() {
        reload_signals_.async_wait([this](boost::system::error_code error, int signal) {
            if (error) return;
            if (signal == SIGUSR1) {
                shared_.access_log.reopen();
            } else {
                (void)reload_noted();
            }
            await_reload();
        });
    }

    // The file and the store, compiled; nothing is changed yet.
    std::expected<Compiled, std::string> prepare(const admin::State& state) {
        auto effective = admin::effective(state);
        if (!effective) return std::unexpected(effective.error());
        config::Config& config = effective->config;
        config.listen.api = started_.listen.api; // the listeners that are, not those of the next start
        config.listen.metrics = started_.listen.metrics;
        config.listen.admin = started_.listen.admin;
        auto compiled = compile(capped(std::move(config), descriptors_), effective->keys, shared_, current_.get());
        return compiled;
    }

    void use(const Compiled& compiled) {
        announce(compiled, shared_.registry);
        use_limits(compiled.snapshot->config);
        for (auto& worker : workers_) worker->use(compiled.snapshot, compiled.tls);
        shared_.alerts->use(compiled.webhook);
        current_ = compiled.snapshot;
    }

    std::expected<void, std::string> publish(const admin::State& state) {
        const auto compiled = prepare(state);
        if (!compiled) return std::unexpected(compiled.error());
        use(*compiled);
        return {};
    }

    std::expected<void, std::string> serve_admin() {
        if (!started_.listen.admin) return {};
        auto token = admin::load_or_make_token(started_.store_path);
        if (!token) return std::unexpected(token.error());
        admin_ = std::make_unique<AdminService>(
            shared_.objects, std::move(*token), state_, shared_.registry,
            AdminService::Gateway{
                .listener = *started_.listen.admin,
                .ledger_path = shared_.ledger->path(),
                .publish = [this](const admin::State& state) { return publish(state); },
                .reload = [this] { return reload_noted(); },
                .cache_stats = [this] { return exchange::cache_stats(shared_); },
                .purge = [this](std::string_view body) { return exchange::purge_cache(shared_, *current_, body); }});
        ops_.serve_admin(*admin_);
        return {};
    }

    std::expected<void, std::string> reload_noted() {
        notifier_.reloading(process::monotonic_now());
        auto done = reload();
        note_reload(done.has_value());
        notifier_.ready(done ? status() : status() + "; the last reload failed");
        ops_shard_.add(shared_.registry.counter(Family::config_reloads_total, {done ? "success" : "failure"}));
        return done;
    }

    // The error is the first problem; all of them are logged.
    std::expected<void, std::string> reload() {
        auto loaded = config::load_file(state_.file.file, config::process_environment());
        if (!loaded.config) return std::unexpected(log_problems(loaded));
        if (const auto changed = needs_restart(started_, *loaded.config); !changed.empty()) {
            const std::string names = fmt::format("{}", fmt::join(changed, ", "));
            log::error("the configuration was not reloaded; the running one stays",
                       {{"error", "a change needs a restart"}, {"settings", names}});
            return std::unexpected("a change of these needs a restart, so nothing was changed: " + names);
        }
        admin::State next{std::move(*loaded.config), state_.keys, state_.overrides};
        if (auto done = publish(next); !done) {
            log::error("the configuration was not reloaded; the running one stays", {{"error", done.error()}});
            return done;
        }
        state_ = std::move(next);
        log::info("the configuration was reloaded", {{"config_hash", state_.file.hash}});
        return {};
    }

    std::string log_problems(const config::Loaded& loaded) const {
        std::string first;
        for (const auto& problem : loaded.diagnostics) {
            if (problem.severity != config::Severity::error) continue;
            const std::string place = fmt::format("{}:{}:{}", state_.file.file, problem.mark.line, problem.mark.column);
            log::error("the configuration was not reloaded; the running one stays",
                       {{"code", problem.code}, {"place", place}, {"error", problem.message}});
            if (first.empty()) first = place + ": " + problem.message;
        }
        return first;
    }

    void await_stop() {
        signals_.async_wait([this](boost::system::error_code error, int) {
            if (error) return;
            log::info("draining: readiness is off", {{"delay_ms", std::to_string(state_.file.drain.delay.count())}});
            shared_.draining.store(true, std::memory_order_relaxed);
            notifier_.stopping("Draining");
            drain_timer_.expires_after(state_.file.drain.delay);
            drain_timer_.async_wait([this](boost::system::error_code) { stop_accepting(); });
            // A second signal does not wait for the streams.
            signals_.async_wait([this](boost::system::error_code again, int) {
                if (!again) finish("a second signal");
            });
        });
    }

    void stop_accepting() {
        if (finished_) return;
        for (auto& worker : workers_) worker->stop_accepting();
        drain_deadline_ = Clock::now() + state_.file.drain.timeout;
        poll_drained();
    }

    void poll_drained() {
        if (finished_) return;
        if (std::ranges::all_of(workers_, [](const auto& worker) { return worker->drained(); }))
            return finish("every connection has ended");
        if (Clock::now() >= drain_deadline_) return finish("drain.timeout ran out");
        constexpr auto kPoll = std::chrono::milliseconds(20);
        drain_timer_.expires_after(kPoll);
        drain_timer_.async_wait([this](boost::system::error_code) { poll_drained(); });
    }

    void finish(std::string_view why) {
        if (finished_) return;
        finished_ = true;
        log::info("stopping", {{"because", why}});
        for (auto& worker : workers_) worker->terminate(kLastWords);
        ops_.stop();
        boost::system::error_code ignored;
        signals_.cancel(ignored);
        reload_signals_.cancel(ignored);
        drain_timer_.cancel();
        watch_timer_.cancel();
        reap_timer_.cancel();
    }

    asio::io_context io_{1};
    admin::State state_;           // the file as it was loaded last, and what the store has
    const config::Config started_; // what listeners, store and Redis still are, whatever was reloaded since
    exchange::Shared& shared_;
    const net::DescriptorBudget descriptors_;
    exchange::SnapshotPtr current_;       // in effect
    std::unique_ptr<AdminService> admin_; // null: no admin listener
    exchange::OpsServer ops_;
    metrics::Shard ops_shard_ = shared_.registry.make_shard();
    asio::signal_set signals_;
    asio::signal_set reload_signals_;
    net::SteadyTimer drain_timer_;
    net::SteadyTimer watch_timer_;
    net::SteadyTimer reap_timer_;
    const process::ManagerEnvironment manager_ = process::read_manager_environment();
    const std::optional<std::chrono::microseconds> watchdog_ = process::watchdog_interval(manager_, ::getpid());
    process::Notifier notifier_{manager_.socket};
    std::vector<std::unique_ptr<exchange::Worker>> workers_;
    TimePoint drain_deadline_ = kNever;
    bool finished_ = false;
};

std::expected<admin::State, std::string> read_state(const config::Config& config, policy::Store& store) {
    auto keys = stored_or_first_key(config, store);
    if (!keys) return std::unexpected(keys.error());
    if (auto filled = admin::fill_entries(*keys); !filled) return std::unexpected(filled.error());
    auto overrides = store.overrides();
    if (!overrides) return std::unexpected(overrides.error());
    return admin::State{config, std::move(*keys), std::move(*overrides)};
}

} // namespace

int run_gateway(config::Config config) {
    process::ignore_stray_signals();
    const net::DescriptorBudget descriptors = net::descriptor_budget(net::raise_descriptor_limit());
    if (auto confined = process::confine(); !confined) return refuse(confined.error());
    if (auto proven = net::verify_self_test(); !proven) return refuse("TLS verification is broken: " + proven.error());
    auto store = policy::Store::open(config.store_path, config.master_secret);
    if (!store) return refuse(store.error());
    auto state = read_state(config, **store);
    if (!state) return refuse(state.error());
    auto ledger = open_ledger(config.store_path);
    if (!ledger) return refuse(ledger.error());
    auto alert_book = policy::alerts::Book::open(config.store_path + "/alerts.db");
    if (!alert_book) return refuse(alert_book.error());
    try {
        metrics::Registry registry;
        metrics::LogSink access_log(config.access_log.path);
        exchange::ObjectStore objects(**store);
        exchange::Shared shared(config, derive((*store)->master()), objects, access_log, registry, descriptors);
        shared.pseudonym = make_pseudonym();
        shared.ledger = ledger->get();
        shared.tokenizers = load_tokenizers(config.tokenizers);
        alerts::Sender sender(std::move(*alert_book), shared.resolver, registry);
        shared.alerts = &sender;
        register_sources(shared);
        Main main(std::move(*state), shared, descriptors);
        if (auto started = main.start(); !started) {
            main.abandon();
            return refuse(started.error());
        }
        if (!main.run()) {
            // getaddrinfo() cannot be interrupted and may take a minute, longer than a manager waits before it kills.
            // Nothing is left to do for which that thread is needed: what was logged is written, then the process ends
            // around it, without the destructors that would have to wait.
            access_log.close();
            (*ledger)->stop();
            log::info("stopped");
            std::_Exit(0);
        }
    } catch (const std::exception& failure) {
        return refuse(failure.what());
    }
    log::info("stopped");
    return 0;
}

} // namespace tollgate
