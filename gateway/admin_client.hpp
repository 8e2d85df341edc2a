// One request to the admin listener of a running gateway, for commands. Blocks.
#pragma once

#include "config/config.hpp"

#include <expected>
#include <string>
#include <string_view>

namespace tollgate {

struct AdminReply {
    int status = 0;
    std::string body; // JSON
};

// To `listen.admin` of the configuration, with the token that the gateway keeps in its store. `body`: JSON; empty:
// none. Errors say what is missing: a listener, a token, or a gateway that answers within 10 s.
[[nodiscard]] std::expected<AdminReply, std::string> ask_admin(const config::Config& config, std::string_view method,
                                                               std::string_view path, std::string_view body);

} // namespace tollgate
