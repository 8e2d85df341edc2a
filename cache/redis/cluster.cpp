#include "cache/redis/cluster.hpp"

#include "gateway/base/text.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace tollgate::redis {
namespace {

constexpr auto kTuple = asio::as_tuple(UseTask{});
constexpr auto kUnknown = std::chrono::milliseconds(100); // between attempts to learn who there is
constexpr auto kUsual = std::chrono::seconds(30);         // between looks when nobody said that something moved
constexpr std::size_t kMostNodes = 256;

constexpr auto kCrc = [] { // CRC16/XMODEM
    std::array<std::uint16_t, 256> table{};
    for (unsigned i = 0; i < 256; ++i) {
        unsigned crc = i << 8;
        for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000U) != 0 ? crc << 1 ^ 0x1021U : crc << 1;
        table[i] = static_cast<std::uint16_t>(crc & 0xFFFFU);
    }
    return table;
}();

// Takes `$5\r\nhello\r\n` from the front.
std::string_view take_word(std::string_view& rest) noexcept {
    const std::size_t line = rest.find("\r\n");
    if (line == std::string_view::npos || line < 2) return {};
    const auto size = parse_decimal(rest.substr(1, line - 1));
    if (!size || *size > rest.size() - line - 2) return {};
    const std::string_view word = rest.substr(line + 2, *size);
    rest.remove_prefix(std::min(rest.size(), line + 2 + *size + 2));
    return word;
}

} // namespace

std::uint16_t slot_of(std::string_view key) noexcept {
    if (const std::size_t open = key.find('{'); open != std::string_view::npos) {
        const std::size_t close = key.find('}', open + 1);
        if (close != std::string_view::npos && close > open + 1) key = key.substr(open + 1, close - open - 1);
    }
    unsigned crc = 0;
    for (const char c : key) crc = (crc << 8 ^ kCrc[(crc >> 8 ^ static_cast<unsigned char>(c)) & 0xFFU]) & 0xFFFFU;
    return static_cast<std::uint16_t>(crc % kSlots);
}

std::string_view key_of(std::string_view encoded) noexcept {
    const std::size_t line = encoded.find("\r\n");
    if (line == std::string_view::npos) return {};
    std::string_view rest = encoded.substr(line + 2);
    const std::string_view name = take_word(rest);
    std::string_view key = take_word(rest);
    if (name == "EVAL" || name == "EVALSHA") { // script, number of keys, first key
        (void)take_word(rest);
        key = take_word(rest);
    }
    return key;
}

Cluster::Cluster(asio::io_context& io, const config::Redis& options) : io_(io), options_(options), timer_(io) {}

void Cluster::start() {
    if (stopped_ || !nodes_.empty()) return;
    node_at(options_.host, options_.port);
    for (const config::RedisHost& other : options_.others) node_at(other.name, other.port);
    asio::co_spawn(io_, run(shared_from_this()), asio::detached);
}

void Cluster::stop() {
    stopped_ = true;
    timer_.cancel();
    for (const auto& [place, node] : nodes_) node->stop();
    owners_.fill(nullptr);
}

Cluster::Node Cluster::node_at(const std::string& host, std::uint16_t port) {
    Node& node = nodes_[{host, port}];
    if (node) return node;
    config::Redis options = options_;
    options.mode = config::RedisMode::single;
    options.host = host;
    options.port = port;
    node = std::make_shared<Connection>(io_, options);
    if (!stopped_) node->start();
    return node;
}

Task<void> Cluster::run(std::shared_ptr<Cluster> self) {
    while (!self->stopped_) {
        if (co_await self->learn()) self->known_ = true;
        if (self->stopped_) break;
        if (self->known_)
            self->timer_.expires_after(kUsual);
        else
            self->timer_.expires_after(kUnknown);
        co_await self->timer_.async_wait(kTuple);
    }
}

Task<bool> Cluster::learn() {
    std::vector<std::pair<std::string, Node>> asked;
    for (const auto& [place, node] : nodes_) {
        if (node->connected()) asked.emplace_back(place.first, node);
    }
    for (const auto& [host, node] : asked) {
        std::string command;
        append_command(command, {"CLUSTER", "SLOTS"});
        const auto reply = co_await Connection::command(node, std::move(command));
        if (stopped_) co_return false;
        if (reply && reply->kind == Reply::Kind::array && take(*reply, host)) co_return true;
        last_error_ = reply ? "CLUSTER SLOTS: " + reply->text.substr(0, 200) : "no answer to CLUSTER SLOTS";
    }
    co_return false;
}

bool Cluster::take(const Reply& slots, const std::string& asked_host) {
    std::array<Node, kSlots> owners;
    std::map<std::pair<std::string, std::uint16_t>, Node> wanted;
    for (const Reply& range : slots.elements) {
        if (range.elements.size() < 3) return false;
        const std::int64_t first = range.elements[0].integer;
        const std::int64_t last = range.elements[1].integer;
        const Reply& primary = range.elements[2];
        if (first < 0 || last < first || last >= static_cast<std::int64_t>(kSlots)) return false;
        if (primary.elements.size() < 2 || primary.elements[1].integer <= 0 || primary.elements[1].integer > 65'535)
            return false;
        const std::string& host = primary.elements[0].text.empty() ? asked_host : primary.elements[0].text;
        const auto port = static_cast<std::uint16_t>(primary.elements[1].integer);
        if (wanted.size() >= kMostNodes) return false;
        const Node node = node_at(host, port);
        wanted[{host, port}] = node;
        for (auto slot = static_cast<std::size_t>(first); slot <= static_cast<std::size_t>(last); ++slot)
            owners[slot] = node;
    }
    if (wanted.empty()) return false;
    owners_ = std::move(owners);
    // Those of the configuration stay: one of them has to be asked when all others are gone.
    std::erase_if(nodes_, [&](const auto& one) {
        const auto& [place, node] = one;
        const bool named = (place.first == options_.host && place.second == options_.port) ||
                           std::ranges::any_of(options_.others, [&](const config::RedisHost& other) {
                               return place.first == other.name && place.second == other.port;
                           });
        if (named || wanted.contains(place)) return false;
        node->stop();
        return true;
    });
    return true;
}

Cluster::Node Cluster::follow(const Reply& reply, std::uint16_t slot) {
    if (reply.kind != Reply::Kind::error) return nullptr;
    const bool moved = reply.text.starts_with("MOVED ");
    if (!moved && !reply.text.starts_with("ASK ")) return nullptr;
    const std::string_view place = std::string_view(reply.text).substr(reply.text.rfind(' ') + 1);
    const std::size_t colon = place.rfind(':');
    const auto port = colon == std::string_view::npos ? std::nullopt : parse_decimal(place.substr(colon + 1));
    if (!port || *port == 0 || *port > 65'535 || colon == 0 || nodes_.size() >= kMostNodes) return nullptr;
    const Node node = node_at(std::string(place.substr(0, colon)), static_cast<std::uint16_t>(*port));
    if (!moved) {
        std::string asking;
        append_command(asking, {"ASKING"});
        node->post(asking); // leaves in one write with what follows
        return node;
    }
    owners_[slot] = node;
    timer_.cancel(); // more may have moved
    return node;
}

Task<std::expected<Reply, Failure>> Cluster::command(std::shared_ptr<Cluster> self, std::string encoded) {
    const std::uint16_t slot = slot_of(key_of(encoded));
    const Node node = self->owners_[slot];
    if (!node) {
        ++self->homeless_;
        co_return std::unexpected(Failure::down);
    }
    auto reply = co_await Connection::command(node, encoded);
    if (!reply || self->stopped_) co_return reply;
    const Node other = self->follow(*reply, slot);
    if (!other) co_return reply;
    auto again = co_await Connection::command(other, std::move(encoded));
    co_return again;
}

void Cluster::post(std::string encoded) {
    if (stopped_) return;
    asio::co_spawn(io_, command(shared_from_this(), std::move(encoded)),
                   [](const std::exception_ptr&, const std::expected<Reply, Failure>&) {});
}

bool Cluster::connected() const noexcept {
    return known_ && std::ranges::any_of(nodes_, [](const auto& one) { return one.second->connected(); });
}

const ClientStats& Cluster::stats() const noexcept {
    stats_ = {.errors = homeless_};
    for (const auto& [place, node] : nodes_) {
        stats_.ok += node->stats().ok;
        stats_.errors += node->stats().errors;
        stats_.timeouts += node->stats().timeouts;
        stats_.connects += node->stats().connects;
    }
    return stats_;
}

const std::string& Cluster::last_error() const noexcept {
    if (connected()) return last_error_ = {};
    for (const auto& [place, node] : nodes_) {
        if (!node->last_error().empty()) return node->last_error();
    }
    return last_error_;
}

} // namespace tollgate::redis
