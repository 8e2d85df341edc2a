// What is published on channels of Redis, on a connection of its own: one that has subscribed takes no other commands.
#pragma once

#include "config/config.hpp"
#include "gateway/base/task.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tollgate::redis {

class Connection;
struct Reply;

class ChannelListener {
  public:
    virtual ~ChannelListener() = default;
    // A message came; or messages may have been missed, because the subscription has only begun. Resumes nobody: it
    // posts or cancels.
    virtual void on_message() = 0;
};

// All members on the worker's thread. While there is no connection nothing is heard, without a word.
class Subscriber {
  public:
    Subscriber(asio::io_context& io, const config::Redis& options);
    ~Subscriber();
    Subscriber(const Subscriber&) = delete;
    Subscriber& operator=(const Subscriber&) = delete;

    void start();
    // Call before the io_context goes away.
    void stop();
    [[nodiscard]] bool connected() const noexcept;

  private:
    friend class Subscription;
    void add(const std::string& channel, ChannelListener& listener);
    void remove(const std::string& channel, ChannelListener& listener);
    void subscribe_to_all();
    void on_reply(const Reply& reply);

    std::map<std::string, std::vector<ChannelListener*>, std::less<>> listeners_;
    std::shared_ptr<Connection> connection_;
};

// As long as it lives, its listener is told. Neither outlives the subscriber.
class Subscription {
  public:
    Subscription(Subscriber& subscriber, std::string channel, ChannelListener& listener);
    ~Subscription();
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

  private:
    Subscriber& subscriber_;
    const std::string channel_;
    ChannelListener& listener_;
};

} // namespace tollgate::redis
