// Keys of a store that no gateway has open: the admin API's decisions, made by the command that asks.
#pragma once

#include "config/config.hpp"
#include "gateway/admin_client.hpp"

#include <expected>
#include <string>
#include <string_view>

namespace tollgate {

// As ask_admin(), for keys and scopes alone and under the store's lock, which a running gateway has. Blocks on the
// disk. A refusal is a reply with its problem as the body; the error is text for the operator: the store cannot be
// opened.
[[nodiscard]] std::expected<AdminReply, std::string> ask_store(const config::Config& config, std::string_view method,
                                                               std::string_view path, std::string_view query,
                                                               std::string_view body);

} // namespace tollgate
