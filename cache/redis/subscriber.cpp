#include "cache/redis/subscriber.hpp"

#include "cache/redis/connection.hpp"

#include <utility>

namespace tollgate::redis {
namespace {

std::string command(std::string_view verb, const std::string& channel) {
    std::string out;
    append_command(out, {verb, channel});
    return out;
}

} // namespace

Subscriber::Subscriber(asio::io_context& io, const config::Redis& options)
    : connection_(std::make_shared<Connection>(
          io, options,
          Connection::Listening{.connected = [this] { subscribe_to_all(); },
                                .reply = [this](const Reply& reply) { on_reply(reply); }})) {}

Subscriber::~Subscriber() {
    stop();
}

void Subscriber::start() {
    connection_->start();
}

void Subscriber::stop() {
    connection_->stop();
}

bool Subscriber::connected() const noexcept {
    return connection_->connected();
}

void Subscriber::add(const std::string& channel, ChannelListener& listener) {
    auto& all = listeners_[channel];
    all.push_back(&listener);
    if (all.size() == 1) connection_->post(command("SUBSCRIBE", channel));
}

void Subscriber::remove(const std::string& channel, ChannelListener& listener) {
    const auto found = listeners_.find(channel);
    if (found == listeners_.end()) return;
    std::erase(found->second, &listener);
    if (!found->second.empty()) return;
    listeners_.erase(found);
    connection_->post(command("UNSUBSCRIBE", channel));
}

void Subscriber::subscribe_to_all() {
    for (const auto& [channel, listeners] : listeners_) connection_->post(command("SUBSCRIBE", channel));
}

// ["message", channel, text], ["subscribe", channel, count] or ["unsubscribe", channel, count].
void Subscriber::on_reply(const Reply& reply) {
    if (reply.elements.size() != 3 || reply.elements[0].text == "unsubscribe") return;
    const auto found = listeners_.find(reply.elements[1].text);
    if (found == listeners_.end()) return;
    for (ChannelListener* const listener : found->second) listener->on_message();
}

Subscription::Subscription(Subscriber& subscriber, std::string channel, ChannelListener& listener)
    : subscriber_(subscriber), channel_(std::move(channel)), listener_(listener) {
    subscriber_.add(channel_, listener_);
}

Subscription::~Subscription() {
    subscriber_.remove(channel_, listener_);
}

} // namespace tollgate::redis
