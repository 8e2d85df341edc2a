// Where alerts are delivered, compiled from the configuration.
#pragma once

#include "config/config.hpp"
#include "gateway/upstream/catalog.hpp"

#include <chrono>
#include <expected>
#include <memory>
#include <string>

namespace tollgate::alerts {

struct Webhook {
    std::unique_ptr<const upstream::Provider> endpoint; // address rules and trust are those of providers
    Secret target;                                      // path and query, which may be all that keeps strangers out
    Secret secret;                                      // signs; may be empty
    std::chrono::milliseconds timeout{};                // of one delivery, from the look-up of the name to the answer
};
using WebhookPtr = std::shared_ptr<const Webhook>;

// The same place, called the same way: a failure there is still a failure.
[[nodiscard]] bool same(const Webhook& a, const Webhook& b) noexcept;

// Null if none is configured. Error: a trust file that cannot be read, named.
[[nodiscard]] std::expected<WebhookPtr, std::string> compile_webhook(const config::Config& config);

} // namespace tollgate::alerts
