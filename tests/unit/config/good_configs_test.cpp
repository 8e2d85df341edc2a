#include "fixture.hpp"

#include "gateway/base/crypto.hpp"

#include <gtest/gtest.h>

namespace tollgate::config::test {
namespace {

using namespace std::chrono_literals;

// The config, or a failed test that shows what was said.
Config loaded(std::string_view text) {
    Loaded out = load(text);
    EXPECT_TRUE(out.config.has_value()) << text << listing(out);
    EXPECT_TRUE(out.diagnostics.empty()) << listing(out);
    return out.config.value_or(Config{});
}

Config loaded_with(std::string_view more) {
    return loaded(std::string(kBase) + std::string(more));
}

TEST(GoodConfig, smallest_file_gets_every_default) {
    const Config config = loaded(kBase);
    EXPECT_EQ(config.file, "tollgate.yaml");
    EXPECT_EQ(config.hash, crypto::to_hex(crypto::sha256(kBase)).substr(0, 12));
    EXPECT_EQ(config.listen.api.host, "127.0.0.1");
    EXPECT_EQ(config.listen.api.port, 8080);
    EXPECT_FALSE(config.listen.admin || config.listen.metrics || config.listen.tls || config.redis);
    EXPECT_EQ(config.listen.workers, 0U);
    const Provider& provider = config.providers.at("p");
    EXPECT_EQ(provider.host, "api.example.com");
    EXPECT_EQ(provider.path_prefix, "/v1");
    EXPECT_TRUE(provider.https);
    EXPECT_EQ(provider.mark.line, 3);
    EXPECT_EQ(provider.mark.column, 3);
    const Model& model = config.models.at("m");
    ASSERT_EQ(model.upstreams.size(), 1U);
    EXPECT_EQ(model.upstreams[0].model, "m");
    EXPECT_EQ(model.upstreams[0].weight, 1U);
    EXPECT_EQ(model.timeouts.connect, 5s);
    EXPECT_TRUE(config.orgs.contains("default"));
    EXPECT_EQ(config.teams.at("default").org, "default");
    EXPECT_FALSE(config.cache.enabled);
    EXPECT_EQ(config.cache.scope, CacheScope::team);
}

TEST(GoodConfig, example_file_loads_cleanly) {
    const Config config = loaded(source_file("config/tollgate.example.yaml"));
    EXPECT_EQ(config.listen.max_connections, 10'000U);
    EXPECT_EQ(config.listen.admin->port, 9090);
    ASSERT_EQ(config.keys.size(), 1U);
    EXPECT_EQ(config.keys[0].secret.reveal(), kVariables.at("TOLLGATE_DEMO_KEY"));
    EXPECT_EQ(config.keys[0].routes, std::vector<std::string>{"files"});
    EXPECT_EQ(config.keys[0].limits.rpm->burst, 10U);
    EXPECT_EQ(config.keys[0].expires, std::chrono::sys_days(std::chrono::year(2035) / 12 / 31));
    EXPECT_EQ(config.providers.at("openai").api_keys.at(0).reveal(), kVariables.at("OPENAI_API_KEY"));
    EXPECT_TRUE(config.providers.at("local").is_private);
    EXPECT_FALSE(config.providers.at("local").https);
    EXPECT_EQ(config.providers.at("local").port, 8000);
    EXPECT_EQ(config.models.at("text-davinci-003").upstreams.at(0).via, Via::chat);
    EXPECT_EQ(config.models.at("ft:*").upstreams.at(0).model, "");
    EXPECT_EQ(config.models.at("gpt-4o-mini").cache.ttl, 1h);
    EXPECT_EQ(config.orgs.at("default").limits.rpm->amount, 100'000U);
    EXPECT_EQ(config.teams.at("search").contact, "#llm-platform");
    EXPECT_EQ(config.cache.memory, 256ULL << 20);
    EXPECT_EQ(config.drain.timeout, 300s);
}

// Every field set to something that is not its default, so that a field nobody binds is noticed.
TEST(GoodConfig, every_key_reaches_its_field) {
    const std::string hash(64, 'A');
    const Config config = loaded(
        "version: 1\n"
        "listen: { api: \"[::1]:1\", metrics: \"0.0.0.0:2\", admin: \"127.0.0.2:3\", workers: 3,\n"
        "  tls: { cert: /dev/null, key: /dev/zero, client_ca: /dev/full }, half_close: serve, max_connections: 7,\n"
        "  connections_per_address: 5, trusted_proxies: [ 10.0.0.0/8, \"fd00::1\" ],\n"
        "  limits: { request_line: 1KiB, field: 2KiB, head: 3KiB, fields: 11, head_time: 1s, keep_alive: 2s,\n"
        "    body_idle: 3s, body_rate: 5, write_stall: 6s, requests: 12, age: 7s, failed_keys: 13 } }\n"
        "overload: { memory: 32MiB, loop_lag: 20ms }\n"
        "store: { path: /var/x }\n"
        "redis: { url: \"redis://u:pw@r:1/2\", mode: sentinel, primary: main, prefix: \"x:\", timeout: 9ms, use: [ "
        "cache ] }\n"
        "secrets: { master: \"${env:MASTER}\" }\n"
        "providers:\n"
        "  p: { kind: openai, base_url: \"https://a.example:444/b/\", api_keys: [ k1, k2 ], private: true,\n"
        "       cidr: [ 10.1.0.0/16, \"fd12:3456::/32\" ],\n"
        "       ca_file: /dev/null, organization: o, project: pr, default_for: [ files, stored ],\n"
        "       stream_usage: true }\n"
        "models:\n"
        "  m: { aliases: [ a ], upstreams: [ { provider: p, model: x, weight: 2, order: 3, via: chat } ],\n"
        "       timeouts: { connect: 1s, first_token: 2s, idle: 3s, total: 4s },\n"
        "       cache: { enabled: true, ttl: 5s, sampled: false, stale_while_revalidate: 0s, stale_if_error: 1s } }\n"
        "orgs: { o: { limits: { rpm: 9, burst: 8 } } }\n"
        "teams: { t: { org: o, models: [ m ], limits: { rpm: 7, burst: 6 }, contact: \"c\",\n"
        "       cache: { enabled: false, ttl: 6s, sampled: true } } }\n"
        "keys: [ { id: k, alias: \"al\", team: t, sha256: " +
        hash +
        ", models: [ m ], routes: [ batches ],\n"
        "       limits: { rpm: 5, burst: 4 }, cache: { enabled: true, ttl: 7s, sampled: false },\n"
        "       expires: 2030-01-01T00:00:01Z, disabled: true } ]\n"
        "prices: { import: [ /dev/null ], shipped: false }\n"
        "alerts: { webhook: { url: \"http://[::1]:9/h/?t=1\", secret: abc-def, private: true, cidr: [ \"::1\" ],\n"
        "  ca_file: /dev/null, timeout: 3s } }\n"
        "cache: { enabled: true, ttl: 8s, memory: 2MiB, max_entry: 2KiB, scope: org, sampled: false,\n"
        "         stale_while_revalidate: 9s, stale_if_error: 10s }\n"
        "body: { json: 2KiB, multipart: 3KiB, held: 4MiB }\n"
        "drain: { delay: 1s, timeout: 2s }\n"
        "access_log: { path: \"off\", format: json }\n");
    EXPECT_EQ(config.listen.api.host, "::1");
    EXPECT_EQ(config.listen.metrics->port, 2);
    EXPECT_EQ(config.listen.admin->host, "127.0.0.2");
    EXPECT_EQ(config.listen.workers, 3U);
    EXPECT_EQ(config.listen.tls->cert, "/dev/null");
    EXPECT_EQ(config.listen.tls->key, "/dev/zero");
    EXPECT_EQ(config.listen.tls->client_ca, "/dev/full");
    EXPECT_EQ(config.listen.half_close, HalfClose::serve);
    EXPECT_EQ(config.listen.max_connections, 7U);
    EXPECT_EQ(config.listen.connections_per_address, 5U);
    ASSERT_EQ(config.listen.trusted_proxies.size(), 2U);
    EXPECT_TRUE(contains(config.listen.trusted_proxies[0], *parse_address("10.255.0.1")));
    EXPECT_TRUE(contains(config.listen.trusted_proxies[1], *parse_address("fd00::1")));
    EXPECT_EQ(config.listen.limits.request_line, 1024U);
    EXPECT_EQ(config.listen.limits.field, 2048U);
    EXPECT_EQ(config.listen.limits.head, 3072U);
    EXPECT_EQ(config.listen.limits.fields, 11U);
    EXPECT_EQ(config.listen.limits.head_time, 1s);
    EXPECT_EQ(config.listen.limits.keep_alive, 2s);
    EXPECT_EQ(config.listen.limits.body_idle, 3s);
    EXPECT_EQ(config.listen.limits.body_rate, 5U);
    EXPECT_EQ(config.listen.limits.write_stall, 6s);
    EXPECT_EQ(config.listen.limits.requests, 12U);
    EXPECT_EQ(config.listen.limits.age, 7s);
    EXPECT_EQ(config.listen.limits.failed_keys, 13U);
    EXPECT_EQ(config.overload.memory, 32ULL << 20);
    EXPECT_EQ(config.overload.loop_lag, 20ms);
    EXPECT_EQ(config.store_path, "/var/x");
    ASSERT_TRUE(config.redis);
    EXPECT_EQ(config.redis->url.reveal(), "redis://u:pw@r:1/2");
    EXPECT_EQ(config.redis->host, "r");
    EXPECT_EQ(config.redis->port, 1);
    EXPECT_EQ(config.redis->user, "u");
    EXPECT_EQ(config.redis->password.reveal(), "pw");
    EXPECT_EQ(config.redis->database, 2U);
    EXPECT_EQ(config.redis->mode, RedisMode::sentinel);
    EXPECT_EQ(config.redis->primary, "main");
    EXPECT_EQ(config.redis->prefix, "x:");
    EXPECT_EQ(config.redis->timeout, 9ms);
    EXPECT_TRUE(config.redis->use_cache);
    EXPECT_EQ(config.master_secret.reveal(), kVariables.at("MASTER"));
    ASSERT_TRUE(config.alerts.webhook);
    EXPECT_EQ(config.alerts.webhook->endpoint.name, "alerts.webhook");
    EXPECT_EQ(config.alerts.webhook->endpoint.host, "::1");
    EXPECT_EQ(config.alerts.webhook->endpoint.port, 9);
    EXPECT_FALSE(config.alerts.webhook->endpoint.https);
    EXPECT_TRUE(config.alerts.webhook->endpoint.is_private);
    EXPECT_EQ(config.alerts.webhook->endpoint.cidr.size(), 1U);
    EXPECT_EQ(config.alerts.webhook->endpoint.ca_file, "/dev/null");
    EXPECT_EQ(config.alerts.webhook->target.reveal(), "/h/?t=1");
    EXPECT_EQ(config.alerts.webhook->secret.reveal(), "abc-def");
    EXPECT_EQ(config.alerts.webhook->timeout, 3s);
    const Provider& p = config.providers.at("p");
    EXPECT_EQ(p.base_url, "https://a.example:444/b");
    EXPECT_EQ(p.port, 444);
    EXPECT_EQ(p.path_prefix, "/b");
    EXPECT_EQ(p.api_keys.size(), 2U);
    EXPECT_TRUE(p.is_private);
    ASSERT_EQ(p.cidr.size(), 2U);
    EXPECT_EQ(p.cidr[0], parse_range("10.1.0.0/16").value());
    EXPECT_EQ(p.cidr[1], parse_range("fd12:3456::/32").value());
    EXPECT_EQ(p.ca_file + p.organization + p.project, "/dev/nullopr");
    EXPECT_TRUE(p.stream_usage);
    EXPECT_EQ(p.default_for, (std::vector<std::string>{"files", "stored"}));
    const Model& m = config.models.at("m");
    EXPECT_EQ(m.aliases, std::vector<std::string>{"a"});
    EXPECT_EQ(m.upstreams[0].model, "x");
    EXPECT_EQ(m.upstreams[0].weight, 2U);
    EXPECT_EQ(m.upstreams[0].order, 3U);
    EXPECT_EQ(m.upstreams[0].via, Via::chat);
    EXPECT_EQ(m.timeouts.connect + m.timeouts.first_token + m.timeouts.idle + m.timeouts.total, 10s);
    EXPECT_EQ(m.timeouts.total, 4s);
    EXPECT_EQ(m.cache.enabled, true);
    EXPECT_EQ(m.cache.ttl, 5s);
    EXPECT_EQ(m.cache.sampled, false);
    EXPECT_EQ(m.cache.stale_while_revalidate, 0s);
    EXPECT_EQ(m.cache.stale_if_error, 1s);
    EXPECT_EQ(config.orgs.at("o").limits.rpm->amount, 9U);
    EXPECT_EQ(config.orgs.at("o").limits.rpm->burst, 8U);
    const Team& t = config.teams.at("t");
    EXPECT_EQ(t.org + t.contact, "oc");
    EXPECT_EQ(t.models, std::vector<std::string>{"m"});
    EXPECT_EQ(t.limits.rpm->amount, 7U);
    EXPECT_EQ(t.limits.rpm->burst, 6U);
    EXPECT_EQ(t.cache.enabled, false);
    EXPECT_EQ(t.cache.ttl, 6s);
    EXPECT_EQ(t.cache.sampled, true);
    const Key& k = config.keys.at(0);
    EXPECT_EQ(k.id + k.alias + k.team, "kalt");
    EXPECT_EQ(k.sha256, std::string(64, 'a'));
    EXPECT_TRUE(k.secret.empty());
    EXPECT_EQ(k.models, std::vector<std::string>{"m"});
    EXPECT_EQ(k.routes, std::vector<std::string>{"batches"});
    EXPECT_EQ(k.limits.rpm->amount, 5U);
    EXPECT_EQ(k.limits.rpm->burst, 4U);
    EXPECT_EQ(k.cache.enabled, true);
    EXPECT_EQ(k.cache.ttl, 7s);
    EXPECT_EQ(k.cache.sampled, false);
    EXPECT_EQ(k.expires, std::chrono::sys_days(std::chrono::year(2030) / 1 / 1) + 1s);
    EXPECT_TRUE(k.disabled);
    EXPECT_EQ(config.prices.import, std::vector<std::string>{"/dev/null"});
    EXPECT_FALSE(config.prices.shipped);
    EXPECT_TRUE(config.cache.enabled);
    EXPECT_EQ(config.cache.ttl, 8s);
    EXPECT_EQ(config.cache.memory, 2ULL << 20);
    EXPECT_EQ(config.cache.max_entry, 2048U);
    EXPECT_EQ(config.cache.scope, CacheScope::org);
    EXPECT_FALSE(config.cache.sampled);
    EXPECT_EQ(config.cache.stale_while_revalidate, 9s);
    EXPECT_EQ(config.cache.stale_if_error, 10s);
    EXPECT_EQ(config.body.json, 2048U);
    EXPECT_EQ(config.body.multipart, 3072U);
    EXPECT_EQ(config.body.held, 4ULL << 20);
    EXPECT_EQ(config.drain.delay, 1s);
    EXPECT_EQ(config.drain.timeout, 2s);
    EXPECT_EQ(config.access_log.path, "off");
}

TEST(GoodConfig, anchors_aliases_and_merges_work) {
    const Config config = loaded_with("  n: &common\n"
                                      "    upstreams: [ { provider: p, model: x } ]\n"
                                      "    timeouts: { total: 1m }\n"
                                      "  o: { <<: *common, timeouts: { total: 2m } }\n"
                                      "  \"ft:*\": *common\n"
                                      "  q: { <<: [ { cache: { ttl: 1s } }, *common ], \"aliases\": [ qq ] }\n");
    EXPECT_EQ(config.models.at("o").timeouts.total, 2min);
    EXPECT_EQ(config.models.at("o").upstreams.at(0).model, "x");
    EXPECT_EQ(config.models.at("ft:*").timeouts.total, 1min);
    EXPECT_EQ(config.models.at("q").cache.ttl, 1s);
    EXPECT_EQ(config.models.at("q").timeouts.total, 1min);
    EXPECT_EQ(config.models.at("q").aliases.size(), 1U);
}

TEST(GoodConfig, references_are_replaced_anywhere_in_a_value) {
    const TemporaryFile file("from-a-file\r\n");
    const Config config = loaded_with("store: { path: \"/x/${env:RPM}/$${env:RPM}/$\" }\n"
                                      "orgs: { default: { limits: { rpm: \"${env:RPM}\" } } }\n"
                                      "keys: [ { id: k, secret: \"a-${file:" +
                                      file.name() + "}-${env:RPM}\" } ]\n");
    EXPECT_EQ(config.store_path, "/x/600/${env:RPM}/$");
    EXPECT_EQ(config.orgs.at("default").limits.rpm->amount, 600U);
    EXPECT_EQ(config.keys.at(0).secret.reveal(), "a-from-a-file-600");
}

TEST(GoodConfig, empty_sections_and_comments_mean_defaults) {
    const Config config = loaded_with("listen:\n  # api: \"${nonsense}\"\ncache:\nkeys:\nteams: ~\n");
    EXPECT_EQ(config.listen.api.port, 8080);
    EXPECT_TRUE(config.keys.empty());
}

TEST(GoodConfig, byte_order_mark_and_crlf_are_accepted) {
    std::string text = "\xEF\xBB\xBF";
    for (const char c : kBase) {
        if (c == '\n') text += '\r';
        text += c;
    }
    EXPECT_EQ(loaded(text).models.size(), 1U);
}

TEST(GoodConfig, listeners_on_port_zero_do_not_collide) {
    const Config config =
        loaded_with("listen: { api: \"127.0.0.1:0\", metrics: \"127.0.0.1:0\", admin: \"127.0.0.1:0\" }\n");
    EXPECT_EQ(config.listen.admin->port, 0);
}

TEST(GoodConfig, wildcards_in_allow_lists_reach_models_and_aliases) {
    const Config config =
        loaded_with("  \"ft:*\": { upstreams: [ { provider: p } ] }\n"
                    "  n: { aliases: [ small-1 ], upstreams: [ { provider: p } ] }\n"
                    "teams: { t: { models: [ \"*\", \"ft:x\", \"small-*\", \"ft:a*\", small-1 ] } }\n");
    EXPECT_EQ(config.teams.at("t").models.size(), 5U);
}

TEST(GoodConfig, warnings_do_not_stop_it) {
    const Loaded out = load_with("secrets: { master: short }\n");
    ASSERT_TRUE(out.config) << listing(out);
    EXPECT_EQ(out.diagnostics.size(), 1U) << listing(out);
    EXPECT_EQ(out.diagnostics[0].severity, Severity::warning);
}

} // namespace
} // namespace tollgate::config::test
