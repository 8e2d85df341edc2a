#include "cache/redis/client.hpp"

#include "cache/redis/connection.hpp"

#include <utility>

namespace tollgate::redis {

struct Client::Impl : Connection {
    using Connection::Connection;
};

Client::Client(asio::io_context& io, const config::Redis& options) : impl_(std::make_shared<Impl>(io, options)) {}

Client::~Client() {
    stop();
}

void Client::start() {
    impl_->start();
}

void Client::stop() {
    impl_->stop();
}

Task<std::expected<Reply, Failure>> Client::command(std::string encoded) {
    return Connection::command(impl_, std::move(encoded));
}

void Client::post(std::string encoded) {
    impl_->post(encoded);
}

bool Client::connected() const noexcept {
    return impl_->connected();
}

const ClientStats& Client::stats() const noexcept {
    return impl_->stats();
}

const std::string& Client::last_error() const noexcept {
    return impl_->last_error();
}

} // namespace tollgate::redis
