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

struct AdminFailure {
    std::string why;             // a listener, a token, or a gateway that answers within 10 s is missing
    bool nobody_listens = false; // so no gateway of this configuration can be asked
};

// To `listen.admin` of the configuration, with the token that the gateway keeps in its store. `body`: JSON; empty:
// none.
[[nodiscard]] std::expected<AdminReply, AdminFailure> ask_admin(const config::Config& config, std::string_view method,
                                                                std::string_view path, std::string_view body);

} // namespace tollgate
