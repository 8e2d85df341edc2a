#include "gateway/upstream/pool.hpp"

#include <algorithm>

namespace tollgate::upstream {

struct Pool::Idle final : net::PeerWatcher {
    Idle(Pool& owner, std::string key_text, net::ChannelPtr held, net::Permits::Lease lease)
        : pool(owner), key(std::move(key_text)), channel(std::move(held)), permit(std::move(lease)) {}

    void on_peer_gone() override {
        channel->close();
        pool.forget(key, this); // destroys *this
    }

    Pool& pool;
    std::string key;
    net::ChannelPtr channel;
    net::Permits::Lease permit;
};

Pool::Pool(net::Permits& permits) : permits_(permits) {}

Pool::~Pool() {
    close_all();
}

bool Pool::usable(const net::Channel& channel) noexcept {
    return !channel.closed() && channel.gone() == net::Gone::no && channel.data().empty() &&
           channel.now() < channel.opened() + kMaxAge;
}

net::ChannelPtr Pool::take(const std::string& key) {
    const auto found = idle_.find(key);
    if (found == idle_.end()) return nullptr;
    Stack& stack = found->second;
    while (!stack.empty()) {
        net::ChannelPtr channel = std::move(stack.back()->channel);
        channel->watch(nullptr);
        stack.pop_back();
        channel->expire_never();
        if (usable(*channel)) return channel;
        channel->close();
    }
    return nullptr;
}

void Pool::put(const std::string& key, net::ChannelPtr channel) {
    Stack& stack = idle_[key];
    auto permit = usable(*channel) && stack.size() < kMaxIdle ? permits_.take() : net::Permits::Lease();
    if (!permit) {
        channel->close();
        return;
    }
    channel->expire_hard_at(channel->now() + kIdleLife, "idle");
    stack.push_back(std::make_unique<Idle>(*this, key, channel, std::move(permit)));
    channel->watch(stack.back().get());
}

void Pool::forget(const std::string& key, const Idle* which) {
    Stack& stack = idle_[key];
    const auto found = std::ranges::find_if(stack, [which](const auto& idle) { return idle.get() == which; });
    if (found != stack.end()) stack.erase(found);
}

void Pool::close_all() {
    for (auto& [key, stack] : idle_) {
        for (auto& idle : stack) {
            idle->channel->watch(nullptr);
            idle->channel->close();
        }
        stack.clear();
    }
}

std::size_t Pool::idle(const std::string& key) const {
    const auto found = idle_.find(key);
    return found == idle_.end() ? 0 : found->second.size();
}

} // namespace tollgate::upstream
