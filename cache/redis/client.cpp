#include "cache/redis/client.hpp"

#include "cache/redis/cluster.hpp"
#include "cache/redis/connection.hpp"

#include <utility>

namespace tollgate::redis {

// One of the two.
struct Client::Impl {
    std::shared_ptr<Connection> connection;
    std::shared_ptr<Cluster> cluster;
};

Client::Client(asio::io_context& io, const config::Redis& options) : impl_(std::make_shared<Impl>()) {
    if (options.mode == config::RedisMode::cluster)
        impl_->cluster = std::make_shared<Cluster>(io, options);
    else
        impl_->connection = std::make_shared<Connection>(io, options);
}

Client::~Client() {
    stop();
}

void Client::start() {
    if (impl_->cluster)
        impl_->cluster->start();
    else
        impl_->connection->start();
}

void Client::stop() {
    if (impl_->cluster)
        impl_->cluster->stop();
    else
        impl_->connection->stop();
}

Task<std::expected<Reply, Failure>> Client::command(std::string encoded) {
    if (impl_->cluster) return Cluster::command(impl_->cluster, std::move(encoded));
    return Connection::command(impl_->connection, std::move(encoded));
}

void Client::post(std::string encoded) {
    if (impl_->cluster)
        impl_->cluster->post(std::move(encoded));
    else
        impl_->connection->post(encoded);
}

bool Client::connected() const noexcept {
    return impl_->cluster ? impl_->cluster->connected() : impl_->connection->connected();
}

bool Client::keys_are_spread() const noexcept {
    return impl_->cluster != nullptr;
}

const ClientStats& Client::stats() const noexcept {
    return impl_->cluster ? impl_->cluster->stats() : impl_->connection->stats();
}

const std::string& Client::last_error() const noexcept {
    return impl_->cluster ? impl_->cluster->last_error() : impl_->connection->last_error();
}

} // namespace tollgate::redis
