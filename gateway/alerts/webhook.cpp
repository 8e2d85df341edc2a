#include "gateway/alerts/webhook.hpp"

namespace tollgate::alerts {

bool same(const Webhook& a, const Webhook& b) noexcept {
    return a.endpoint->pool_key == b.endpoint->pool_key && a.target.reveal() == b.target.reveal() &&
           a.secret.reveal() == b.secret.reveal() && a.timeout == b.timeout;
}

std::expected<WebhookPtr, std::string> compile_webhook(const config::Config& config) {
    if (!config.alerts.webhook) return nullptr;
    const config::Webhook& from = *config.alerts.webhook;
    auto endpoint = upstream::make_provider(from.endpoint, 0, config.listen);
    if (!endpoint) return std::unexpected(endpoint.error());
    return std::make_shared<const Webhook>(Webhook{std::move(*endpoint), from.target, from.secret, from.timeout});
}

} // namespace tollgate::alerts
