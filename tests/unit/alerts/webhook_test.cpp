// When a newly loaded configuration names the webhook that was there before.
#include "gateway/alerts/webhook.hpp"

#include <gtest/gtest.h>

namespace tollgate::alerts {
namespace {

config::Config configured() {
    config::Config config;
    config::Webhook& webhook = config.alerts.webhook.emplace();
    webhook.endpoint.name = "alerts.webhook";
    webhook.endpoint.https = false;
    webhook.endpoint.is_private = true;
    webhook.endpoint.host = "127.0.0.1";
    webhook.endpoint.port = 9;
    webhook.target = Secret("/hook");
    webhook.secret = Secret("abc-def");
    return config;
}

WebhookPtr compiled(const config::Config& config) {
    auto webhook = compile_webhook(config);
    EXPECT_TRUE(webhook.has_value()) << webhook.error();
    return webhook.value_or(nullptr);
}

TEST(AlertWebhook, none_isNull) {
    EXPECT_EQ(compiled(config::Config{}), nullptr);
}

TEST(AlertWebhook, sameIsWhatIsCalledTheSameWay) {
    const WebhookPtr first = compiled(configured());
    ASSERT_NE(first, nullptr);
    EXPECT_TRUE(same(*first, *compiled(configured())));
    const auto differs = [&](auto change) {
        config::Config config = configured();
        change(*config.alerts.webhook);
        return !same(*first, *compiled(config));
    };
    EXPECT_TRUE(differs([](config::Webhook& to) { to.endpoint.host = "127.0.0.2"; }));
    EXPECT_TRUE(differs([](config::Webhook& to) { to.endpoint.port = 10; }));
    EXPECT_TRUE(differs([](config::Webhook& to) { to.endpoint.https = true; }));
    EXPECT_TRUE(differs([](config::Webhook& to) { to.endpoint.cidr = {*config::parse_range("127.0.0.0/8")}; }));
    EXPECT_TRUE(differs([](config::Webhook& to) { to.target = Secret("/other"); }));
    EXPECT_TRUE(differs([](config::Webhook& to) { to.secret = Secret(); }));
    EXPECT_TRUE(differs([](config::Webhook& to) { to.timeout += std::chrono::seconds(1); }));
}

} // namespace
} // namespace tollgate::alerts
