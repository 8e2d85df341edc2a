#include "gateway/exchange/ops_client.hpp"

#include "gateway/base/log.hpp"
#include "gateway/http/codec.hpp"
#include "gateway/http/head_scanner.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>

#include <algorithm>
#include <malloc.h>
#include <utility>

namespace tollgate::exchange {
namespace {

constexpr unsigned kMaxConnections = 64;
constexpr auto kHeadTime = std::chrono::seconds(2);
constexpr auto kIdleTime = std::chrono::seconds(1); // probes and scrapes come seconds apart: no use in waiting for them
constexpr auto kWriteTime = std::chrono::seconds(10);
constexpr auto kTick = std::chrono::milliseconds(100);
constexpr auto kMemoryInterval = std::chrono::milliseconds(500);
constexpr auto kTrimInterval = std::chrono::seconds(10); // malloc_trim walks the whole heap
constexpr int kMappedFrom = 1 << 20; // octets: larger blocks are mapped, and unmapped when they are freed
constexpr int kKeptAtTop = 4 << 20;  // octets an arena keeps for the next allocation
constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kExposition =
    "text/plain; version=0.0.4; charset=utf-8"; // Prometheus 3 insists on the version

struct Page {
    int status = 404;
    std::string_view route = "unmatched";
    std::string_view type = kText;
    std::string body = "Not found. This listener serves /metrics, /livez and /readyz.\n";
};

Page make_page(Shared& shared, std::string_view method, std::string_view path) {
    if (method != "GET" && method != "HEAD") return {405, "unmatched", kText, "Only GET and HEAD are served here.\n"};
    if (path == "/metrics") return {200, "/metrics", kExposition, shared.registry.expose()};
    if (path == "/livez") {
        if (shared.stuck.load(std::memory_order_relaxed)) return {503, "/livez", kText, "an event loop is stuck\n"};
        return {200, "/livez", kText, "ok\n"};
    }
    if (path != "/readyz") return {};
    const bool draining = shared.draining.load(std::memory_order_relaxed);
    return {draining ? 503 : 200, "/readyz", kText, draining ? "draining\n" : "ok\n"};
}

bool is_admin(std::string_view path) {
    return path == kAdminPrefix || (path.starts_with(kAdminPrefix) && path[kAdminPrefix.size()] == '/');
}

std::uint64_t allocated() {
    const struct mallinfo2 info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
}

} // namespace

OpsServer::OpsServer(asio::io_context& io, Shared& shared)
    : io_(io), shared_(shared), timer_(io), metrics_(shared.registry, shared.registry.make_shard()) {
    // Without this the allocator raises both with the largest body it has seen, and keeps a crowd of them for ever
    // (T3).
    ::mallopt(M_MMAP_THRESHOLD, kMappedFrom);
    ::mallopt(M_TRIM_THRESHOLD, kKeptAtTop);
    metrics_.use(std::make_shared<metrics::Vocabulary>());
    asio::co_spawn(io_, tick(), asio::detached);
}

OpsServer::~OpsServer() = default;

// Probes decide about the life of the process, so that nobody may shut them out by holding connections: the one that
// has asked for nothing for the longest goes, or else the one that takes its answer slowest.
bool OpsServer::make_room() {
    const auto waits = std::ranges::find_if(clients_, [](const Client* client) { return client->waits; });
    const auto chosen = waits != clients_.end() ? waits : clients_.begin();
    if (chosen == clients_.end()) return false;
    const net::ChannelPtr channel = (*chosen)->channel;
    clients_.erase(chosen);
    channel->close(); // its coroutine ends
    return true;
}

void OpsServer::admit(net::TcpSocket socket, const std::string& name, const std::string& address) {
    if (stopping_) return; // nothing would end it any more
    if (open_ >= kMaxConnections && !make_room()) return;
    ++open_;
    asio::co_spawn(io_, serve(std::move(socket), name, address), [this](const std::exception_ptr& failure) {
        if (failure) log::error("a metrics connection ended in an exception");
        --open_;
    });
}

std::expected<void, std::string> OpsServer::listen(const config::Endpoint& endpoint, std::string name) {
    auto listener =
        std::make_unique<net::Listener>(io_, [this, name](net::TcpSocket socket, const std::string& address) {
            admit(std::move(socket), name, address);
        });
    if (auto ok = listener->open(endpoint.host, endpoint.port, false); !ok) return ok;
    listener->start();
    listeners_.push_back(std::move(listener));
    return {};
}

void OpsServer::stop() {
    stopping_ = true;
    for (auto& listener : listeners_) listener->close();
    timer_.cancel();
    deadlines_.terminate_all();
}

void OpsServer::watch_memory(TimePoint now) {
    if (now < memory_due_) return;
    memory_due_ = now + kMemoryInterval;
    const Pressure before = shared_.memory_pressure.load(std::memory_order_relaxed);
    const std::uint64_t limit = shared_.memory_limit.load(std::memory_order_relaxed);
    const std::uint64_t resident = memory_in_use();
    const Pressure after = memory_pressure(resident, limit, before);
    shared_.memory_pressure.store(after, std::memory_order_relaxed);
    if (after != before) {
        log::warning("memory pressure changed", {{"step", to_string(after)}, {"limit_bytes", std::to_string(limit)}});
    }
    if (after >= Pressure::no_keep_alive || (after == Pressure::trim && now >= trim_due_)) {
        // The cache is the largest thing that can be given up; what is shed does not evict from it.
        const std::uint64_t held = shared_.cache.stats().bytes;
        shared_.cache.shrink_to(after == Pressure::trim ? held / 4 * 3 : held / 2, WallClock::now());
        trim_due_ = {};
    }
    if (now < trim_due_) return;
    if (after == Pressure::none) {
        if (now < look_due_) return;
        look_due_ = now + kTrimInterval;
        if (!worth_trimming(resident, allocated())) return;
    }
    trim_due_ = now + kTrimInterval;
    ::malloc_trim(0);
}

Task<void> OpsServer::tick() {
    boost::system::error_code ignored;
    while (!stopping_) {
        timer_.expires_after(kTick);
        co_await timer_.async_wait(asio::redirect_error_t<UseTask>(UseTask{}, ignored));
        const TimePoint now = Clock::now();
        deadlines_.tick(now);
        watch_memory(now);
    }
}

Task<void> OpsServer::serve(net::TcpSocket socket, std::string name, std::string address) {
    Client client(*this, std::move(socket), std::move(address));
    Duration patience = kHeadTime;
    while (co_await answer(client, name, patience)) patience = kIdleTime;
}

// False if none came in time.
Task<bool> OpsServer::read_head(Client& client, std::string& text, Duration patience) {
    net::Channel& channel = *client.channel;
    http::HeadScanner scanner(http::kRequestLimits);
    channel.expire_hard_at(Clock::now() + patience, "request head");
    client.waits = true;
    for (;;) {
        const auto found = scanner.scan(channel.data());
        if (!found) co_return false;
        if (*found) {
            text.assign(channel.data().substr(scanner.leading(), **found - scanner.leading()));
            channel.consume(**found);
            client.waits = false;
            co_return true;
        }
        if (!co_await channel.more()) co_return false;
    }
}

Task<bool> OpsServer::answer(Client& client, const std::string& name, Duration patience) {
    std::string text;
    if (!co_await read_head(client, text, patience)) co_return false;
    http::RequestHead head;
    if (!http::parse_request_head(text, head)) co_return false;
    const TimePoint started = Clock::now();
    const bool bodiless =
        head.framing == http::Framing::none || (head.framing == http::Framing::length && head.content_length == 0);
    const bool keep = head.keep_alive && bodiless && !stopping_;
    if (name == "admin" && admin_ != nullptr && is_admin(head.path)) {
        const bool again = co_await answer_admin(client, head, keep);
        co_return again;
    }
    const Page page = make_page(shared_, head.method, head.path);
    std::string out;
    http::append_status_line(out, page.status);
    http::append_field(out, "content-type", page.type);
    http::append_field(out, "content-length", page.body.size());
    out += keep ? "\r\n" : "connection: close\r\n\r\n";
    net::Gather pieces;
    pieces.add(out);
    if (head.method != "HEAD") pieces.add(page.body);
    client.channel->expire_hard_at(Clock::now() + kWriteTime, "write");
    const bool sent = co_await client.channel->write(pieces);
    metrics::RequestRecord record;
    record.listener = name == "admin" ? "admin" : "metrics";
    record.method = head.method == "HEAD" ? "HEAD" : head.method == "GET" ? "GET" : "other";
    record.route = page.route;
    record.status = page.status;
    record.total = Clock::now() - started;
    metrics_.record(record);
    co_return sent&& keep;
}

} // namespace tollgate::exchange
