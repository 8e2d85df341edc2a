// One connection of the ops server.
#pragma once

#include "gateway/base/text.hpp"
#include "gateway/exchange/ops_server.hpp"
#include "gateway/net/channel.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace tollgate::exchange {

struct OpsServer::Client {
    Client(OpsServer& server, net::TcpSocket socket, std::string peer)
        : owner(server), address(std::move(peer)),
          channel(std::make_shared<net::Channel>(net::make_tcp(std::move(socket)), server.blocks_, server.deadlines_)) {
        owner.clients_.push_back(this);
    }
    ~Client() {
        channel->close();
        std::erase(owner.clients_, this);
    }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    OpsServer& owner;
    const std::string address;
    net::ChannelPtr channel;
    bool waits = true; // for a head
};

} // namespace tollgate::exchange
