#include "config/key_table.hpp"

#include <array>

namespace tollgate::config {
namespace {

using enum Type;

constexpr std::string_view kGroups = "files|uploads|batches|fine_tuning|vector_stores|stored";
constexpr std::string_view kGroupsOrAll = "files|uploads|batches|fine_tuning|vector_stores|stored|*";
constexpr std::string_view kRate = "1..1000M";
constexpr std::string_view kTtl = "1ms..365d";
constexpr std::string_view kClock = "1ms..7d";

constexpr std::string_view kRpm = "Requests per minute.";
constexpr std::string_view kBurst = "Requests that may arrive at once; default: the value of `rpm`.";
constexpr std::string_view kLimits = "Limits of everything below, taken together.";
constexpr std::string_view kCacheOverride = "Overrides of the top-level `cache`; what is absent is inherited.";
constexpr std::string_view kCacheEnabled = "Whether answers are cached.";
constexpr std::string_view kCacheTtl = "How long an answer is served.";
constexpr std::string_view kCacheSampled =
    "Whether requests that sample are cached too; `false` keeps the cache to deterministic ones.";

constexpr std::array kRows = {
    Row{"version", integer, "", "1..1", "Version of this format.", true},

    Row{"listen", section, "", "", "Where Tollgate listens."},
    Row{"listen.api", endpoint, "127.0.0.1:8080", "", "Address of the listener clients call."},
    Row{"listen.metrics", endpoint, "", "",
        "Address of the listener for /metrics, /livez and /readyz; without it the admin listener serves them."},
    Row{"listen.admin", endpoint, "", "", "Address of the admin listener; loopback only."},
    Row{"listen.workers", integer, "auto", "auto|1..256", "Worker threads; `auto` is one per core."},
    Row{"listen.tls", section, "", "", "Serves the api listener over TLS 1.2 and 1.3."},
    Row{"listen.tls.cert", text, "", "path", "PEM file with the certificate chain.", true},
    Row{"listen.tls.key", text, "", "path", "PEM file with the private key.", true},
    Row{"listen.tls.client_ca", text, "", "path",
        "PEM file with authorities; clients without a certificate from one of them are refused in the handshake."},
    Row{"listen.half_close", choice, "gone", "gone|serve",
        "What a client's half-close after a complete request means: it is gone, or it still waits for the answer."},
    Row{"listen.max_connections", integer, "10000", "1..1M", "Connections on the api listener, all workers together."},
    Row{"listen.connections_per_address", integer, "auto", "auto|1..1M",
        "Connections of one source address (IPv6: one /64); `auto` is half of `max_connections`, at least 100."},
    Row{"listen.trusted_proxies", list, "", "",
        "The load balancers in front, and only they, not the network they are in: their `X-Forwarded-For` names the "
        "client, and `connections_per_address` does not hold for them."},
    Row{"listen.trusted_proxies[]", text, "", "range", "One address or range, `10.0.0.0/8`."},
    Row{"listen.limits", section, "", "", "What one client connection may cost."},
    Row{"listen.limits.request_line", size, "8KiB", "256..32KiB", "Longest request line; beyond: 414."},
    Row{"listen.limits.field", size, "8KiB", "256..32KiB", "Longest header line; beyond: 431."},
    Row{"listen.limits.head", size, "32KiB", "1KiB..60KiB", "Largest head; beyond: 431."},
    Row{"listen.limits.fields", integer, "100", "10..1000", "Most header fields; beyond: 431."},
    Row{"listen.limits.head_time", duration, "10s", "100ms..10m",
        "To the last octet of a head, from the connection or from the head's first octet; beyond: 408 or close."},
    Row{"listen.limits.keep_alive", duration, "60s", "100ms..1d", "Between two requests of a connection."},
    Row{"listen.limits.body_idle", duration, "30s", "100ms..1h", "Longest silence inside a request body; beyond: 408."},
    Row{"listen.limits.body_rate", size, "1KiB", "0..1GiB",
        "Octets per second a body must reach once `body_idle` is over; 0: no least rate; beyond: 408."},
    Row{"listen.limits.write_stall", duration, "30s", "100ms..1h",
        "How long a client may leave an answer unread before the connection is cut and the upstream call cancelled."},
    Row{"listen.limits.requests", integer, "1000", "1..1000M", "Requests of one connection, then `Connection: close`."},
    Row{"listen.limits.age", duration, "1h", "1s..30d", "Age of a connection, then `Connection: close`."},
    Row{"listen.limits.failed_keys", integer, "60", "1..1M",
        "Requests with a wrong key that one source address may make a minute; beyond, keys it has not used before are "
        "refused with 429, right or wrong."},

    Row{"store", section, "", "", "Embedded state."},
    Row{"store.path", text, "./tollgate-data", "path", "Directory of the embedded state; made if it is missing."},

    Row{"redis", section, "", "", "A Redis shared by several instances; needs `secrets.master` and at least one key."},
    Row{"redis.url", secret, "", "", "redis://[user:password@]host[:port][/database].", true},
    Row{"redis.mode", choice, "single", "single", "Topology of the Redis.", false, "*"},
    Row{"redis.prefix", text, "tg:", "prefix", "Start of every key written to Redis."},
    Row{"redis.timeout", duration, "30ms", "1ms..10s", "Longest wait for a reply before Tollgate goes on without it."},
    Row{"redis.use", list, "[ cache ]", "nonempty", "What is shared through Redis."},
    Row{"redis.use[]", choice, "", "cache", "One thing to share.", false, "flights|limits"},

    Row{"secrets", section, "", "", "Secrets of Tollgate itself."},
    Row{"secrets.master", secret, "", "",
        "Secret every internal key is derived from; without it one is made and kept in the store."},

    Row{"providers", named, "", "name", "Accounts at model endpoints.", true},
    Row{"providers.*", section, "", "", "One provider."},
    Row{"providers.*.kind", choice, "openai", "openai", "Dialect the provider speaks."},
    Row{"providers.*.base_url", text, "", "url",
        "http or https URL in front of every path, usually with `/v1`; no query, fragment or user.", true},
    Row{"providers.*.api_keys", list, "", "", "Keys of the account; they are used in turn.", true},
    Row{"providers.*.api_keys[]", secret, "", "", "One key; any word if the endpoint wants none."},
    Row{"providers.*.private", boolean, "false", "", "Permits plain http and private or loopback addresses."},
    Row{"providers.*.cidr", list, "", "nonempty",
        "Narrows `private: true`: addresses outside of these ranges are not connected to."},
    Row{"providers.*.cidr[]", text, "", "range", "One range."},
    Row{"providers.*.ca_file", text, "", "path", "PEM file with a further trust anchor for this provider."},
    Row{"providers.*.organization", text, "", "header", "Sent as OpenAI-Organization."},
    Row{"providers.*.project", text, "", "header", "Sent as OpenAI-Project."},
    Row{"providers.*.default_for", list, "", "",
        "Route groups without a model that go to this provider; `*` is all of them."},
    Row{"providers.*.default_for[]", choice, "", kGroupsOrAll, "One route group."},

    Row{"models", named, "", "model", "Model names clients may use; `*` in a name matches any run of characters.",
        true},
    Row{"models.*", section, "", "", "One model."},
    Row{"models.*.aliases", list, "", "", "Further names of this model."},
    Row{"models.*.aliases[]", text, "", "alias", "One name."},
    Row{"models.*.upstreams", list, "", "", "Where requests for the model may go.", true},
    Row{"models.*.upstreams[]", section, "", "", "One upstream."},
    Row{"models.*.upstreams[].provider", text, "", "name", "Name of a provider.", true},
    Row{"models.*.upstreams[].model", text, "", "alias",
        "Name at the provider; default: the model's own name, for a wildcard the name the client sent."},
    Row{"models.*.upstreams[].weight", integer, "1", "1..1000", "Share of the traffic within the same `order`."},
    Row{"models.*.upstreams[].order", integer, "1", "1..100", "Upstreams of a higher order are used when lower fail."},
    Row{"models.*.upstreams[].via", choice, "", "chat", "Serves legacy completions through the chat endpoint."},
    Row{"models.*.timeouts", section, "", "", "The clocks of one attempt."},
    Row{"models.*.timeouts.connect", duration, "5s", kClock, "To an established connection, TLS included."},
    Row{"models.*.timeouts.first_token", duration, "10m", kClock, "To the first octet of the answer."},
    Row{"models.*.timeouts.idle", duration, "5m", kClock, "Between octets of the answer."},
    Row{"models.*.timeouts.total", duration, "30m", kClock, "To the end of the answer."},
    Row{"models.*.cache", section, "", "", kCacheOverride},
    Row{"models.*.cache.enabled", boolean, "", "", kCacheEnabled},
    Row{"models.*.cache.ttl", duration, "", kTtl, kCacheTtl},
    Row{"models.*.cache.sampled", boolean, "", "", kCacheSampled},

    Row{"orgs", named, "", "name", "Organizations; `default` exists without being written."},
    Row{"orgs.*", section, "", "", "One organization."},
    Row{"orgs.*.limits", section, "", "", kLimits},
    Row{"orgs.*.limits.rpm", integer, "", kRate, kRpm},
    Row{"orgs.*.limits.burst", integer, "", kRate, kBurst},

    Row{"teams", named, "", "name", "Teams; `default` exists without being written."},
    Row{"teams.*", section, "", "", "One team."},
    Row{"teams.*.org", text, "default", "name", "Organization the team belongs to."},
    Row{"teams.*.models", list, "", "", "Models the team may use, wildcards allowed; empty: all."},
    Row{"teams.*.models[]", text, "", "model", "One model."},
    Row{"teams.*.limits", section, "", "", kLimits},
    Row{"teams.*.limits.rpm", integer, "", kRate, kRpm},
    Row{"teams.*.limits.burst", integer, "", kRate, kBurst},
    Row{"teams.*.contact", text, "", "free", "Whom to ask; shown in the team's error messages."},
    Row{"teams.*.cache", section, "", "", kCacheOverride},
    Row{"teams.*.cache.enabled", boolean, "", "", kCacheEnabled},
    Row{"teams.*.cache.ttl", duration, "", kTtl, kCacheTtl},
    Row{"teams.*.cache.sampled", boolean, "", "", kCacheSampled},

    Row{"keys", list, "", "", "Keys clients present."},
    Row{"keys[]", section, "", "", "One client key."},
    Row{"keys[].id", text, "", "name", "Public name in logs and metrics.", true},
    Row{"keys[].alias", text, "", "free", "Free text for people."},
    Row{"keys[].team", text, "default", "name", "Team the key belongs to."},
    Row{"keys[].secret", secret, "", "", "What the client sends; exactly one of `secret` and `sha256` is written."},
    Row{"keys[].sha256", text, "", "sha256", "SHA-256 of what the client sends, in hexadecimal."},
    Row{"keys[].models", list, "", "", "Models the key may use, wildcards allowed; empty: all of the team's."},
    Row{"keys[].models[]", text, "", "model", "One model."},
    Row{"keys[].routes", list, "", "", "Route groups of stored objects the key may use; empty: none."},
    Row{"keys[].routes[]", choice, "", kGroups, "One route group."},
    Row{"keys[].limits", section, "", "", "Limits of this key."},
    Row{"keys[].limits.rpm", integer, "", kRate, kRpm},
    Row{"keys[].limits.burst", integer, "", kRate, kBurst},
    Row{"keys[].cache", section, "", "", kCacheOverride},
    Row{"keys[].cache.enabled", boolean, "", "", kCacheEnabled},
    Row{"keys[].cache.ttl", duration, "", kTtl, kCacheTtl},
    Row{"keys[].cache.sampled", boolean, "", "", kCacheSampled},
    Row{"keys[].expires", date, "", "", "UTC date (its first second) or date-time from which the key is refused."},
    Row{"keys[].disabled", boolean, "false", "", "Refuses the key without removing it."},

    Row{"cache", section, "", "", "Response cache."},
    Row{"cache.enabled", boolean, "false", "", kCacheEnabled},
    Row{"cache.ttl", duration, "1h", kTtl, kCacheTtl},
    Row{"cache.memory", size, "256MiB", "1MiB..1024GiB", "Memory of the tier in this process."},
    Row{"cache.max_entry", size, "1MiB", "1KiB..1GiB", "Largest answer that is kept."},
    Row{"cache.scope", choice, "team", "key|team|org", "Who shares answers."},
    Row{"cache.sampled", boolean, "true", "", kCacheSampled},

    Row{"body", section, "", "", "Sizes of request bodies."},
    Row{"body.json", size, "32MiB", "1KiB..1GiB", "Largest JSON body."},
    Row{"body.multipart", size, "512MiB", "1KiB..64GiB", "Largest multipart body."},
    Row{"body.held", size, "1GiB", "1MiB..1024GiB", "Memory for all request bodies together."},

    Row{"overload", section, "", "",
        "When Tollgate protects itself: first it trims memory, then it ends idle "
        "connections, then it answers 503. The metrics and admin listeners are exempt."},
    Row{"overload.memory", size, "auto", "auto|16MiB..1024GiB",
        "Resident memory from 85 % of which the steps begin; `auto` is what the control group or the machine has."},
    Row{"overload.loop_lag", duration, "500ms", "10ms..1m", "Delay of a worker's event loop at which it answers 503."},

    Row{"drain", section, "", "", "What SIGTERM does."},
    Row{"drain.delay", duration, "5s", "0ms..1h", "How long new connections are still accepted after readiness fell."},
    Row{"drain.timeout", duration, "5m", "0ms..1d", "How long requests in flight may take to end."},

    Row{"access_log", section, "", "", "One line per request."},
    Row{"access_log.path", text, "stdout", "path", "`stdout`, `stderr`, `off`, or a file."},
    Row{"access_log.format", choice, "json", "json", "Format of the lines.", false, "*"},
};

constexpr std::array kLater = {
    LaterKey{"**.budget", "budgets"},
    LaterKey{"**.limits.tpm", "limits on tokens"},
    LaterKey{"**.limits.concurrency", "limits on concurrency"},
    LaterKey{"models.*.limits", "limits per model"},
    LaterKey{"models.*.fallbacks", "fallback models"},
    LaterKey{"models.*.max_output", "output caps"},
    LaterKey{"models.*.price", "prices"},
    LaterKey{"models.*.upstreams[].cidr", "address lists for upstreams"},
    LaterKey{"providers.*.stream_usage", "added usage in streams"},
    LaterKey{"providers.*.on_disconnect", "draining after a client left"},
    LaterKey{"cache.buckets", "cache buckets"},
    LaterKey{"flights", "settings of shared calls"},
};

constexpr std::array kRules = {
    Rule{"name", "A-Za-z0-9_.-", 1, 64, "1 to 64 letters, digits, `_`, `.` or `-`"},
    Rule{"model", "A-Za-z0-9._:/@*-", 1, 128, "1 to 128 letters, digits or `._:/@*-`"},
    Rule{"alias", "A-Za-z0-9._:/@-", 1, 128, "1 to 128 letters, digits or `._:/@-`"},
    Rule{"prefix", "A-Za-z0-9_.:-", 1, 64, "1 to 64 letters, digits, `_`, `.`, `:` or `-`"},
    Rule{"header", "!-~", 1, 256, "1 to 256 visible ASCII characters"},
    Rule{"credential", "!-~", 1, 256, "1 to 256 visible ASCII characters without a space"},
    Rule{"account", "!-~", 1, 8192, "1 to 8192 visible ASCII characters without a space"},
    Rule{"url", "!-~", 1, 2048, "an http or https URL"},
    Rule{"range", "0-9A-Fa-f.:/", 1, 49, "an address range such as 10.1.0.0/16"},
    Rule{"sha256", "0-9A-Fa-f", 64, 64, "64 hexadecimal digits"},
    Rule{"path", "", 1, 4096, "a path"},
    Rule{"free", "", 0, 256, "at most 256 characters, none of them a control character"},
};

// Is c in the inside of a regular expression's [], where `-` between two characters is a range?
constexpr bool in_class(std::string_view letters, char c) noexcept {
    while (!letters.empty()) {
        if (letters.size() >= 3 && letters[1] == '-') {
            if (c >= letters[0] && c <= letters[2]) return true;
            letters.remove_prefix(3);
        } else {
            if (c == letters[0]) return true;
            letters.remove_prefix(1);
        }
    }
    return false;
}

} // namespace

std::string_view to_string(Type type) noexcept {
    switch (type) {
    case section: return "section";
    case named: return "map";
    case list: return "list";
    case boolean: return "true or false";
    case integer: return "whole number";
    case duration: return "duration";
    case size: return "size";
    case text: return "text";
    case choice: return "word";
    case endpoint: return "address:port";
    case secret: return "secret";
    case date: return "date";
    }
    return {};
}

std::span<const Row> all_rows() noexcept {
    return kRows;
}

std::span<const LaterKey> later_keys() noexcept {
    return kLater;
}

const Row* find_row(std::string_view path) noexcept {
    for (const Row& row : kRows) {
        if (row.path == path) return &row;
    }
    return nullptr;
}

std::vector<const Row*> children(std::string_view path) {
    std::vector<const Row*> out;
    for (const Row& row : kRows) {
        std::string_view rest = row.path;
        if (!rest.starts_with(path) || rest == path) continue;
        rest.remove_prefix(path.size());
        if (!path.empty()) {
            if (rest.front() != '.') continue;
            rest.remove_prefix(1);
        }
        if (rest.find_first_of(".[") == std::string_view::npos) out.push_back(&row);
    }
    return out;
}

std::string_view leaf(std::string_view path) noexcept {
    return path.substr(path.rfind('.') + 1);
}

const LaterKey* find_later(std::string_view path) noexcept {
    for (const LaterKey& key : kLater) {
        if (key.path == path) return &key;
        if (!key.path.starts_with("**")) continue;
        const std::string_view tail = key.path.substr(2);
        if (path.ends_with(tail) || path == tail.substr(1)) return &key;
    }
    return nullptr;
}

const Rule& find_rule(std::string_view name) noexcept {
    for (const Rule& rule : kRules) {
        if (rule.name == name) return rule;
    }
    return kRules.back();
}

bool obeys(const Rule& rule, std::string_view text) noexcept {
    std::size_t characters = 0;
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (rule.letters.empty() ? octet < 0x20 || octet == 0x7F : !in_class(rule.letters, c)) return false;
        if ((octet & 0xC0U) != 0x80U) ++characters;
    }
    return characters >= rule.shortest && characters <= rule.longest;
}

std::vector<std::string_view> words(std::string_view constraint) {
    std::vector<std::string_view> out;
    while (!constraint.empty()) {
        const std::size_t end = constraint.find('|');
        out.push_back(constraint.substr(0, end));
        constraint.remove_prefix(end == std::string_view::npos ? constraint.size() : end + 1);
    }
    return out;
}

Bounds bounds(const Row& row) {
    Bounds out;
    for (const std::string_view part : words(row.constraint)) {
        const std::size_t dots = part.find("..");
        if (dots == std::string_view::npos) {
            out.word = part;
        } else {
            out.low = part.substr(0, dots);
            out.high = part.substr(dots + 2);
        }
    }
    return out;
}

} // namespace tollgate::config
