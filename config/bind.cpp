#include "config/bind.hpp"

#include "config/bind_limits.hpp"
#include "config/url.hpp"
#include "gateway/base/text.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace tollgate::config {
namespace {

// Copies a converted value into a field of any type it converts to.
template <class T, class Field>
void take(const Value& section, std::string_view dotted, Field& field) {
    if (const T* const value = section.get<T>(dotted)) field = static_cast<Field>(*value);
}

void take_text(const Value& section, std::string_view dotted, std::string& field) {
    take<std::string>(section, dotted, field);
}

std::vector<std::string> texts(const Value& section, std::string_view dotted) {
    std::vector<std::string> out;
    const Value* const items = section.find(dotted);
    if (items == nullptr) return out;
    for (const Value& item : items->members) {
        const auto* const text = std::get_if<std::string>(&item.data);
        if (text != nullptr && item.valid) out.push_back(*text);
    }
    return out;
}

template <class F>
void each(const Value& root, std::string_view dotted, F visit) {
    const Value* const collection = root.find(dotted);
    if (collection == nullptr) return;
    for (const Value& member : collection->members) visit(member);
}

CacheOverride cache_of(const Value& section) {
    CacheOverride out;
    if (const auto* const enabled = section.get<bool>("cache.enabled")) out.enabled = *enabled;
    if (const auto* const ttl = section.get<std::chrono::milliseconds>("cache.ttl")) out.ttl = *ttl;
    if (const auto* const sampled = section.get<bool>("cache.sampled")) out.sampled = *sampled;
    const auto* const renewed = section.get<std::chrono::milliseconds>("cache.stale_while_revalidate");
    if (renewed != nullptr) out.stale_while_revalidate = *renewed;
    const auto* const failed = section.get<std::chrono::milliseconds>("cache.stale_if_error");
    if (failed != nullptr) out.stale_if_error = *failed;
    return out;
}

void bind_client_limits(const Value& root, ClientLimits& out) {
    using std::chrono::milliseconds;
    const Value* const section = root.find("listen.limits");
    if (section == nullptr) return;
    take<std::uint64_t>(*section, "request_line", out.request_line);
    take<std::uint64_t>(*section, "field", out.field);
    take<std::uint64_t>(*section, "head", out.head);
    take<std::uint64_t>(*section, "fields", out.fields);
    take<milliseconds>(*section, "head_time", out.head_time);
    take<milliseconds>(*section, "keep_alive", out.keep_alive);
    take<milliseconds>(*section, "body_idle", out.body_idle);
    take<std::uint64_t>(*section, "body_rate", out.body_rate);
    take<milliseconds>(*section, "write_stall", out.write_stall);
    take<std::uint64_t>(*section, "requests", out.requests);
    take<milliseconds>(*section, "age", out.age);
    take<std::uint64_t>(*section, "failed_keys", out.failed_keys);
}

void bind_ranges(const Value& section, std::string_view dotted, std::vector<AddressRange>& out, Sink& sink) {
    each(section, dotted, [&](const Value& item) {
        const auto* const text = std::get_if<std::string>(&item.data);
        if (text == nullptr || !item.valid) return;
        auto parsed = parse_range(*text);
        if (parsed) return out.push_back(*parsed);
        sink.add(Code::bad_range, item.place, fmt::format("`{}` is not an address range", item.path),
                 {std::move(parsed.error()), "want an address, or a range such as 10.1.0.0/16 or fd12:3456::/32"});
    });
}

void bind_listen(const Value& root, Listen& out) {
    take<Endpoint>(root, "listen.api", out.api);
    if (const auto* const metrics = root.get<Endpoint>("listen.metrics")) out.metrics = *metrics;
    if (const auto* const admin = root.get<Endpoint>("listen.admin")) out.admin = *admin;
    take<std::uint64_t>(root, "listen.workers", out.workers);
    take<std::uint64_t>(root, "listen.max_connections", out.max_connections);
    take<std::uint64_t>(root, "listen.connections_per_address", out.connections_per_address);
    const auto* const half_close = root.get<std::string>("listen.half_close");
    if (half_close != nullptr && *half_close == "serve") out.half_close = HalfClose::serve;
    if (root.find("listen.tls") != nullptr) {
        out.tls.emplace();
        take_text(root, "listen.tls.cert", out.tls->cert);
        take_text(root, "listen.tls.key", out.tls->key);
        take_text(root, "listen.tls.client_ca", out.tls->client_ca);
    }
}

std::optional<Redis> bind_redis(const Value& root, Sink& sink) {
    const Value* const section = root.find("redis");
    if (section == nullptr) return std::nullopt;
    Redis out;
    take_text(*section, "prefix", out.prefix);
    take<std::chrono::milliseconds>(*section, "timeout", out.timeout);
    take_text(*section, "primary", out.primary);
    const auto* const mode = section->get<std::string>("mode");
    if (mode != nullptr && *mode == "sentinel") out.mode = RedisMode::sentinel;
    if (mode != nullptr && *mode == "cluster") out.mode = RedisMode::cluster;
    const auto uses = [&](std::string_view what) { return std::ranges::count(texts(*section, "use"), what) > 0; };
    out.use_flights = uses("flights");
    out.use_cache = section->find("use") == nullptr || uses("cache") || out.use_flights;
    const Secret* const url = section->get<Secret>("url");
    if (url == nullptr) return out;
    out.url = *url;
    auto parsed = parse_redis_url(url->reveal());
    if (!parsed) {
        sink.add(Code::bad_redis_url, section->place_of("url"), "`redis.url` is not the URL of a Redis",
                 {std::move(parsed.error()), "want redis://[user:password@]host[:port][/database]"});
        return out;
    }
    out.host = std::move(parsed->host);
    out.port = parsed->port;
    for (auto& [name, port] : parsed->others) out.others.push_back({std::move(name), port});
    out.user = std::move(parsed->user);
    out.password = parsed->password;
    out.database = parsed->database;
    return out;
}

void bind_base_url(const Value& section, Provider& out, Sink& sink) {
    take_text(section, "base_url", out.base_url);
    if (out.base_url.empty()) return;
    while (out.base_url.ends_with('/')) out.base_url.pop_back();
    auto parsed = parse_base_url(out.base_url);
    if (!parsed) {
        sink.add(Code::bad_base_url, section.place_of("base_url"),
                 fmt::format("`{}.base_url` is not a base URL", section.path),
                 {std::move(parsed.error()), "want a URL such as https://api.openai.com/v1"});
        return;
    }
    out.https = parsed->https;
    out.host = std::move(parsed->host);
    out.port = parsed->port;
    out.path_prefix = std::move(parsed->path);
}

Provider bind_provider(const Value& section, Sink& sink) {
    Provider out;
    out.name = section.name;
    out.mark = section.place.mark;
    bind_base_url(section, out, sink);
    each(section, "api_keys", [&](const Value& item) {
        if (const auto* const secret = std::get_if<Secret>(&item.data)) out.api_keys.push_back(*secret);
    });
    take<bool>(section, "private", out.is_private);
    bind_ranges(section, "cidr", out.cidr, sink);
    take_text(section, "ca_file", out.ca_file);
    take_text(section, "organization", out.organization);
    take_text(section, "project", out.project);
    out.default_for = texts(section, "default_for");
    take<bool>(section, "stream_usage", out.stream_usage);
    return out;
}

std::optional<Webhook> bind_webhook(const Value& root, Sink& sink) {
    const Value* const section = root.find("alerts.webhook");
    if (section == nullptr) return std::nullopt;
    Webhook out;
    out.endpoint.name = section->path;
    out.endpoint.mark = section->place.mark;
    take<bool>(*section, "private", out.endpoint.is_private);
    bind_ranges(*section, "cidr", out.endpoint.cidr, sink);
    take_text(*section, "ca_file", out.endpoint.ca_file);
    take<Secret>(*section, "secret", out.secret);
    take<std::chrono::milliseconds>(*section, "timeout", out.timeout);
    const Secret* const url = section->get<Secret>("url");
    if (url == nullptr) return out;
    auto parsed = parse_webhook_url(url->reveal());
    if (!parsed) {
        sink.add(Code::bad_webhook_url, section->place_of("url"), "`alerts.webhook.url` is not the URL of a webhook",
                 {std::move(parsed.error()), "want a URL such as https://hooks.example.com/tollgate"});
        return out;
    }
    out.endpoint.https = parsed->base.https;
    out.endpoint.host = std::move(parsed->base.host);
    out.endpoint.port = parsed->base.port;
    out.target = Secret(parsed->target);
    return out;
}

Upstream bind_upstream(const Value& section, const Model& model) {
    Upstream out;
    out.mark = section.place.mark;
    if (model.name.find('*') == std::string::npos) out.model = model.name;
    take_text(section, "provider", out.provider);
    take_text(section, "model", out.model);
    take<std::uint64_t>(section, "weight", out.weight);
    take<std::uint64_t>(section, "order", out.order);
    if (section.get<std::string>("via") != nullptr) out.via = Via::chat;
    return out;
}

Model bind_model(const Value& section) {
    Model out;
    out.name = section.name;
    out.mark = section.place.mark;
    out.aliases = texts(section, "aliases");
    each(section, "upstreams", [&](const Value& item) { out.upstreams.push_back(bind_upstream(item, out)); });
    using std::chrono::milliseconds;
    take<milliseconds>(section, "timeouts.connect", out.timeouts.connect);
    take<milliseconds>(section, "timeouts.first_token", out.timeouts.first_token);
    take<milliseconds>(section, "timeouts.idle", out.timeouts.idle);
    take<milliseconds>(section, "timeouts.total", out.timeouts.total);
    if (const auto* const most = section.get<std::uint64_t>("max_output")) out.max_output = *most;
    if (const auto* const context = section.get<std::uint64_t>("context")) out.context = *context;
    out.prices = bind_price_cards(section);
    out.limits = bind_limits(section);
    out.budgets = bind_budgets(section);
    out.cache = cache_of(section);
    return out;
}

Org bind_org(const Value& section) {
    return {section.name, bind_limits(section), bind_budgets(section), bind_shares(section), section.place.mark};
}

Team bind_team(const Value& section) {
    Team out;
    out.name = section.name;
    out.mark = section.place.mark;
    take_text(section, "org", out.org);
    out.models = texts(section, "models");
    out.limits = bind_limits(section);
    out.budgets = bind_budgets(section);
    out.per_model = bind_shares(section);
    take_text(section, "contact", out.contact);
    out.cache = cache_of(section);
    return out;
}

void bind_cache(const Value& root, Cache& out) {
    take<bool>(root, "cache.enabled", out.enabled);
    take<std::chrono::milliseconds>(root, "cache.ttl", out.ttl);
    take<std::uint64_t>(root, "cache.memory", out.memory);
    take<std::uint64_t>(root, "cache.max_entry", out.max_entry);
    take<bool>(root, "cache.sampled", out.sampled);
    take<std::chrono::milliseconds>(root, "cache.stale_while_revalidate", out.stale_while_revalidate);
    take<std::chrono::milliseconds>(root, "cache.stale_if_error", out.stale_if_error);
    const auto* const scope = root.get<std::string>("cache.scope");
    if (scope != nullptr && *scope == "key") out.scope = CacheScope::key;
    if (scope != nullptr && *scope == "org") out.scope = CacheScope::org;
}

} // namespace

Key bind_key(const Value& section) {
    Key out;
    out.mark = section.place.mark;
    out.team = "default";
    take_text(section, "id", out.id);
    take_text(section, "alias", out.alias);
    take_text(section, "team", out.team);
    take<Secret>(section, "secret", out.secret);
    take_text(section, "sha256", out.sha256);
    std::ranges::transform(out.sha256, out.sha256.begin(), ascii_lower);
    out.models = texts(section, "models");
    out.routes = texts(section, "routes");
    out.limits = bind_limits(section);
    out.budgets = bind_budgets(section);
    out.per_model = bind_shares(section);
    out.cache = cache_of(section);
    if (const auto* const expires = section.get<std::chrono::sys_seconds>("expires")) out.expires = *expires;
    take<bool>(section, "disabled", out.disabled);
    return out;
}

Config bind(const Value& root, Sink& sink) {
    Config out;
    bind_listen(root, out.listen);
    bind_client_limits(root, out.listen.limits);
    bind_ranges(root, "listen.trusted_proxies", out.listen.trusted_proxies, sink);
    take_text(root, "store.path", out.store_path);
    take<Secret>(root, "secrets.master", out.master_secret);
    out.redis = bind_redis(root, sink);
    each(root, "providers",
         [&](const Value& section) { out.providers.emplace(section.name, bind_provider(section, sink)); });
    each(root, "models", [&](const Value& section) { out.models.emplace(section.name, bind_model(section)); });
    each(root, "orgs", [&](const Value& section) { out.orgs.emplace(section.name, bind_org(section)); });
    each(root, "teams", [&](const Value& section) { out.teams.emplace(section.name, bind_team(section)); });
    if (!out.orgs.contains("default")) out.orgs["default"].name = "default";
    if (!out.teams.contains("default")) out.teams["default"].name = "default";
    each(root, "keys", [&](const Value& section) { out.keys.push_back(bind_key(section)); });
    out.prices.import = texts(root, "prices.import");
    take<bool>(root, "prices.shipped", out.prices.shipped);
    take_text(root, "tokenizers.path", out.tokenizers.path);
    take<std::uint64_t>(root, "tokenizers.max_body", out.tokenizers.max_body);
    out.alerts.webhook = bind_webhook(root, sink);
    bind_cache(root, out.cache);
    take<bool>(root, "flights.enabled", out.flights.enabled);
    take<std::chrono::milliseconds>(root, "flights.linger", out.flights.linger);
    take<std::uint64_t>(root, "body.json", out.body.json);
    take<std::uint64_t>(root, "body.multipart", out.body.multipart);
    take<std::uint64_t>(root, "body.held", out.body.held);
    take<std::uint64_t>(root, "overload.memory", out.overload.memory);
    take<std::chrono::milliseconds>(root, "overload.loop_lag", out.overload.loop_lag);
    take<std::chrono::milliseconds>(root, "drain.delay", out.drain.delay);
    take<std::chrono::milliseconds>(root, "drain.timeout", out.drain.timeout);
    take_text(root, "access_log.path", out.access_log.path);
    return out;
}

} // namespace tollgate::config
