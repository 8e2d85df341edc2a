#include "config/key_table.hpp"

#include <array>

namespace tollgate::config {
namespace {

using enum Type;

constexpr std::string_view kGroups = "files|uploads|batches|fine_tuning|vector_stores|stored";
constexpr std::string_view kGroupsOrAll = "files|uploads|batches|fine_tuning|vector_stores|stored|*";
constexpr std::string_view kRate = "1..1000M";
constexpr std::string_view kTtl = "1ms..365d";
constexpr std::string_view kStale = "0s..365d";
constexpr std::string_view kClock = "1ms..7d";

constexpr std::string_view kTokens = "1..1000M";
constexpr std::string_view kMoney = "usd|0..1000000000";
constexpr std::string_view kMillion = "million";
constexpr std::string_view kEach = "each";
constexpr std::string_view kTimes = "times|0..100";

constexpr std::string_view kItem = "item"; // short form of a list
constexpr std::string_view kLimit = "limit";

constexpr std::string_view kLimits = "Limits of everything below, taken together.";
constexpr std::string_view kBudget = "Money that everything below may spend; a list holds several periods.";
constexpr std::string_view kPerModel = "Limits and budgets for one model each, besides the others.";
constexpr std::string_view kShare = "One configured model.";
constexpr std::string_view kOneBudget = "One budget.";
constexpr std::string_view kMode =
    "`strict` reserves the most a request can use; `balanced` what it is expected to use; `soft` admits and flags.";
constexpr std::string_view kShadow = "Counts what it would have denied and denies nothing.";
constexpr std::string_view kExhausted = "What happens to a stream that uses more tokens than were reserved and finds "
                                        "none left: it may finish, or it is cut.";
constexpr std::string_view kRaise = "A temporary addition.";
constexpr std::string_view kCacheOverride = "Overrides of the top-level `cache`; what is absent is inherited.";
constexpr std::string_view kCacheEnabled = "Whether answers are cached.";
constexpr std::string_view kCacheTtl = "How long an answer is served.";
constexpr std::string_view kCacheSampled =
    "Whether requests that sample are cached too; `false` keeps the cache to deterministic ones.";
constexpr std::string_view kCacheRenew =
    "How long after its TTL an answer is still served while one call in the background renews it.";
constexpr std::string_view kCacheError = "How long after its TTL an answer is served if no provider answers.";

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
    Row{"redis.url", secret, "", "",
        "redis://[user:password@]host[:port][/database]; with `mode` several `host:port`, separated by commas.", true},
    Row{"redis.mode", choice, "single", "single|sentinel|cluster",
        "What the hosts are: the server, sentinels that know where it is, or nodes of a cluster."},
    Row{"redis.primary", text, "mymaster", "name", "What the sentinels call the server."},
    Row{"redis.prefix", text, "tg:", "prefix", "Start of every key written to Redis."},
    Row{"redis.timeout", duration, "30ms", "1ms..10s", "Longest wait for a reply before Tollgate goes on without it."},
    Row{"redis.use", list, "[ cache ]", "nonempty", "What is shared through Redis."},
    Row{"redis.use[]", choice, "", "cache|flights", "One thing to share; `flights` shares the cache too.", false,
        "limits"},

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
    Row{"providers.*.stream_usage", boolean, "false", "",
        "The provider understands `stream_options.include_usage`: it is asked for in every stream, and kept from "
        "clients that did not ask."},

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
    Row{"models.*.upstreams[].via", choice, "", "chat",
        "Serves legacy completions through the chat endpoint, and chat."},
    Row{"models.*.timeouts", section, "", "", "The clocks of one attempt."},
    Row{"models.*.timeouts.connect", duration, "5s", kClock, "To an established connection, TLS included."},
    Row{"models.*.timeouts.first_token", duration, "10m", kClock, "To the first octet of the answer."},
    Row{"models.*.timeouts.idle", duration, "5m", kClock, "Between octets of the answer."},
    Row{"models.*.timeouts.total", duration, "30m", kClock, "To the end of the answer."},
    Row{"models.*.max_output", integer, "", kTokens, "Most tokens of one answer; what a strict budget reserves."},
    Row{"models.*.context", integer, "", kTokens,
        "Most tokens of input and output together; reserved for input whose size nothing else tells."},
    Row{"models.*.price",
        list,
        "",
        "nonempty",
        "Prices of the model, before those of `prices`; a list holds one per `from`.",
        false,
        {},
        kItem},
    Row{"models.*.price[]", section, "", "@price", "Prices from a day on."},
    Row{"models.*.limits", section, "", "@limits", "Limits of the model for all organizations together."},
    Row{"models.*.budget",
        list,
        "",
        "nonempty",
        "Money that all organizations together may spend on the model.",
        false,
        {},
        kItem},
    Row{"models.*.budget[]", section, "", "@budget", kOneBudget},
    Row{"models.*.cache", section, "", "", kCacheOverride},
    Row{"models.*.cache.enabled", boolean, "", "", kCacheEnabled},
    Row{"models.*.cache.ttl", duration, "", kTtl, kCacheTtl},
    Row{"models.*.cache.sampled", boolean, "", "", kCacheSampled},
    Row{"models.*.cache.stale_while_revalidate", duration, "", kStale, kCacheRenew},
    Row{"models.*.cache.stale_if_error", duration, "", kStale, kCacheError},

    Row{"orgs", named, "", "name", "Organizations; `default` exists without being written."},
    Row{"orgs.*", section, "", "", "One organization."},
    Row{"orgs.*.limits", section, "", "@limits", kLimits},
    Row{"orgs.*.budget", list, "", "nonempty", kBudget, false, {}, kItem},
    Row{"orgs.*.budget[]", section, "", "@budget", kOneBudget},
    Row{"orgs.*.per_model", named, "", "model", kPerModel},
    Row{"orgs.*.per_model.*", section, "", "@share", kShare},

    Row{"teams", named, "", "name", "Teams; `default` exists without being written."},
    Row{"teams.*", section, "", "", "One team."},
    Row{"teams.*.org", text, "default", "name", "Organization the team belongs to."},
    Row{"teams.*.models", list, "", "",
        "Models the team may use, wildcards allowed; empty or `*`: all. Any other list keeps its keys from batches and "
        "fine_tuning."},
    Row{"teams.*.models[]", text, "", "model", "One model."},
    Row{"teams.*.limits", section, "", "@limits", kLimits},
    Row{"teams.*.budget", list, "", "nonempty", kBudget, false, {}, kItem},
    Row{"teams.*.budget[]", section, "", "@budget", kOneBudget},
    Row{"teams.*.per_model", named, "", "model", kPerModel},
    Row{"teams.*.per_model.*", section, "", "@share", kShare},
    Row{"teams.*.contact", text, "", "free", "Whom to ask; shown in the team's error messages."},
    Row{"teams.*.cache", section, "", "", kCacheOverride},
    Row{"teams.*.cache.enabled", boolean, "", "", kCacheEnabled},
    Row{"teams.*.cache.ttl", duration, "", kTtl, kCacheTtl},
    Row{"teams.*.cache.sampled", boolean, "", "", kCacheSampled},
    Row{"teams.*.cache.stale_while_revalidate", duration, "", kStale, kCacheRenew},
    Row{"teams.*.cache.stale_if_error", duration, "", kStale, kCacheError},

    Row{"keys", list, "", "", "Keys clients present."},
    Row{"keys[]", section, "", "", "One client key."},
    Row{"keys[].id", text, "", "name", "Public name in logs and metrics.", true},
    Row{"keys[].alias", text, "", "free", "Free text for people."},
    Row{"keys[].team", text, "default", "name", "Team the key belongs to."},
    Row{"keys[].secret", secret, "", "", "What the client sends; exactly one of `secret` and `sha256` is written."},
    Row{"keys[].sha256", text, "", "sha256", "SHA-256 of what the client sends, in hexadecimal."},
    Row{"keys[].models", list, "", "",
        "Models the key may use, wildcards allowed; empty or `*`: all of the team's. Any other list keeps the key from "
        "batches and fine_tuning."},
    Row{"keys[].models[]", text, "", "model", "One model."},
    Row{"keys[].routes", list, "", "",
        "Route groups of stored objects the key may use; empty: none. `store: true` of chat needs `stored`."},
    Row{"keys[].routes[]", choice, "", kGroups, "One route group."},
    Row{"keys[].limits", section, "", "@limits", "Limits of this key."},
    Row{"keys[].budget",
        list,
        "",
        "nonempty",
        "Money this key may spend; a list holds several periods.",
        false,
        {},
        kItem},
    Row{"keys[].budget[]", section, "", "@budget", kOneBudget},
    Row{"keys[].per_model", named, "", "model", kPerModel},
    Row{"keys[].per_model.*", section, "", "@share", kShare},
    Row{"keys[].cache", section, "", "", kCacheOverride},
    Row{"keys[].cache.enabled", boolean, "", "", kCacheEnabled},
    Row{"keys[].cache.ttl", duration, "", kTtl, kCacheTtl},
    Row{"keys[].cache.sampled", boolean, "", "", kCacheSampled},
    Row{"keys[].cache.stale_while_revalidate", duration, "", kStale, kCacheRenew},
    Row{"keys[].cache.stale_if_error", duration, "", kStale, kCacheError},
    Row{"keys[].expires", date, "", "", "UTC date (its first second) or date-time from which the key is refused."},
    Row{"keys[].disabled", boolean, "false", "", "Refuses the key without removing it."},

    Row{"prices", section, "", "", "Where the prices of models come from that have no `price` of their own."},
    Row{"prices.import", list, "", "",
        "Files in the format of model_prices_and_context_window.json; where two name a model, the later one is used."},
    Row{"prices.import[]", text, "", "path", "One file."},
    Row{"prices.shipped", boolean, "true", "", "Whether the built-in list prices are used where no file has one."},

    Row{"tokenizers", section, "", "",
        "How the tokens of an input are counted, where a limit or budget needs them and the model's encoding is "
        "known."},
    Row{"tokenizers.path", text, "/usr/share/tollgate/tokenizers", "path",
        "Directory of the rank files that `deploy/fetch-tokenizers` fetches; without them octets bound the tokens."},
    Row{"tokenizers.max_body", size, "64KiB", "0..16MiB",
        "Larger bodies are bounded by their octets: counting takes about 1 ms for 32 KiB of prose."},
    Row{"alerts", section, "", "", "Who is told that a budget has passed 50, 80, 90 or 100 %."},
    Row{"alerts.webhook", section, "", "", "Gets one POST per threshold and period; without it the log alone says it."},
    Row{"alerts.webhook.url", secret, "", "", "http or https URL; it may have a query, but no user or fragment.", true},
    Row{"alerts.webhook.secret", secret, "", "",
        "Signs every message with HMAC-SHA256, in the field `x-tollgate-signature`."},
    Row{"alerts.webhook.private", boolean, "false", "", "Permits plain http and private or loopback addresses."},
    Row{"alerts.webhook.cidr", list, "", "nonempty",
        "Narrows `private: true`: addresses outside of these ranges are not connected to."},
    Row{"alerts.webhook.cidr[]", text, "", "range", "One range."},
    Row{"alerts.webhook.ca_file", text, "", "path", "PEM file with a further trust anchor for this URL."},
    Row{"alerts.webhook.timeout", duration, "10s", "100ms..5m", "Longest time for one delivery, the answer included."},

    Row{"cache", section, "", "", "Response cache."},
    Row{"cache.enabled", boolean, "false", "", kCacheEnabled},
    Row{"cache.ttl", duration, "1h", kTtl, kCacheTtl},
    Row{"cache.memory", size, "256MiB", "1MiB..1024GiB", "Memory of the tier in this process."},
    Row{"cache.max_entry", size, "1MiB", "1KiB..1GiB", "Largest answer that is kept."},
    Row{"cache.scope", choice, "team", "key|team|org", "Who shares answers."},
    Row{"cache.sampled", boolean, "true", "", kCacheSampled},
    Row{"cache.stale_while_revalidate", duration, "0s", kStale, kCacheRenew},
    Row{"cache.stale_if_error", duration, "0s", kStale, kCacheError},

    Row{"flights", section, "", "",
        "Calls that are asked for again while they run are made once, wherever the cache is on."},
    Row{"flights.enabled", boolean, "true", "", "Whether they are."},
    Row{"flights.linger", duration, "0ms", "0ms..5m",
        "How long such a call goes on when nobody waits for it any more, so that its answer is kept."},

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

    Row{"@limits", section, "", "", "Limits of one scope; all of them hold at once."},
    Row{"@limits.rpm", section, "", "@rate", "Requests per minute.", false, {}, kLimit},
    Row{"@limits.burst", integer, "", kRate, "Requests that may arrive at once; the same as `rpm: { burst: … }`."},
    Row{"@limits.tpm", section, "", "@rate", "Tokens per minute, input and output together.", false, {}, kLimit},
    Row{"@limits.input_tpm", section, "", "@rate", "Tokens of input per minute.", false, {}, kLimit},
    Row{"@limits.output_tpm", section, "", "@rate", "Tokens of output per minute.", false, {}, kLimit},
    Row{"@limits.concurrency", section, "", "@slots", "Requests in flight.", false, {}, kLimit},

    Row{"@rate", section, "", "", "A limit per minute; a lone number is its `limit`."},
    Row{"@rate.limit", integer, "", kRate, "How many a minute.", true},
    Row{"@rate.burst", integer, "", kRate, "How many may come at once; default: the value of `limit`."},
    Row{"@rate.mode", choice, "strict", "strict|balanced|soft", kMode},
    Row{"@rate.shadow", boolean, "false", "", kShadow},
    Row{"@rate.on_exhausted", choice, "finish", "finish|cut", kExhausted},
    Row{"@rate.raise", section, "", "@raise", kRaise},

    Row{"@slots", section, "", "", "A limit on requests in flight; a lone number is its `limit`."},
    Row{"@slots.limit", integer, "", kRate, "How many at once.", true},
    Row{"@slots.mode", choice, "strict", "strict|soft", "`strict` denies what exceeds it; `soft` admits and flags."},
    Row{"@slots.shadow", boolean, "false", "", kShadow},
    Row{"@slots.raise", section, "", "@raise", kRaise},

    Row{"@raise", section, "", "", "What is added to a limit for some time."},
    Row{"@raise.by", integer, "", kRate, "How much.", true},
    Row{"@raise.until", date, "", "", "UTC date (its first second) or date-time at which it ends.", true},

    Row{"@budget", section, "", "", "Money for one period; the next period starts with all of it."},
    Row{"@budget.usd", money, "", kMoney, "US dollars per period, at most nine decimal places.", true},
    Row{"@budget.per", choice, "", "hour|day|week|month|quarter|year|rolling|lifetime", "The period.", true},
    Row{"@budget.timezone", text, "UTC", "zone", "IANA time zone whose calendar is meant; for `hour` to `year`."},
    Row{"@budget.anchor_day", integer, "1", "1..31",
        "Day on which a `month` begins; in shorter months their last day."},
    Row{"@budget.week_start", choice, "monday", "monday|tuesday|wednesday|thursday|friday|saturday|sunday",
        "Day on which a `week` begins."},
    Row{"@budget.window", duration, "", "1m..3650d", "Length of a `rolling` period; required there."},
    Row{"@budget.mode", choice, "strict", "strict|balanced|last_call|soft",
        "`strict` reserves the most a request can cost; `balanced` what it is expected to cost; `last_call` lets one "
        "last request reserve what is left; `soft` admits and flags."},
    Row{"@budget.shadow", boolean, "false", "", kShadow},
    Row{"@budget.on_exhausted", choice, "finish", "finish|cut", kExhausted},
    Row{"@budget.raise", section, "", "@budget_raise", kRaise},

    Row{"@budget_raise", section, "", "", "What is added to every period of a budget for some time."},
    Row{"@budget_raise.by", money, "", kMoney, "US dollars.", true},
    Row{"@budget_raise.until", date, "", "", "UTC date (its first second) or date-time at which it ends.", true},

    Row{"@share", section, "", "", "What an organization, a team or a key may take of one model."},
    Row{"@share.limits", section, "", "@limits", "Limits for this model."},
    Row{"@share.budget",
        list,
        "",
        "nonempty",
        "Money that may be spent on this model; a list holds several periods.",
        false,
        {},
        kItem},
    Row{"@share.budget[]", section, "", "@budget", kOneBudget},

    Row{"@price", section, "", "",
        "US dollars: for a million tokens, or for one image, second, request or tool call. A kind of token that is not "
        "written costs what `input` or `output` costs; what then has no price is free."},
    Row{"@price.from", date, "", "", "UTC date on which these prices begin; default: always."},
    Row{"@price.input", money, "", kMillion, "Input."},
    Row{"@price.cached_input", money, "", kMillion, "Input read from the provider's prompt cache."},
    Row{"@price.cache_write", money, "", kMillion, "Input written to it."},
    Row{"@price.audio_in", money, "", kMillion, "Sound in the input."},
    Row{"@price.image_in", money, "", kMillion, "Images in the input."},
    Row{"@price.output", money, "", kMillion, "Output."},
    Row{"@price.reasoning", money, "", kMillion, "Output that is not shown."},
    Row{"@price.audio_out", money, "", kMillion, "Sound in the output."},
    Row{"@price.image", money, "", kEach, "One image made."},
    Row{"@price.audio_second", money, "", kEach, "One second of sound heard."},
    Row{"@price.request", money, "", kEach, "One request."},
    Row{"@price.tool_call", money, "", kEach, "One call of a hosted tool."},
    Row{"@price.tiers", list, "", "nonempty", "Other prices for requests with a large input."},
    Row{"@price.tiers[]", section, "", "@tier", "One tier."},
    Row{"@price.service_tiers", section, "", "",
        "What these prices are multiplied by, to the thousandth, where the answer's `service_tier` says so."},
    Row{"@price.service_tiers.flex", money, "1", kTimes, "Slower service."},
    Row{"@price.service_tiers.batch", money, "1", kTimes, "Service within a day."},
    Row{"@price.service_tiers.priority", money, "2", kTimes, "Faster service."},
    Row{"@price.service_tiers.fast", money, "2", kTimes, "Fastest service, also called ultrafast or performance."},

    Row{"@tier", section, "", "", "Prices of a whole request whose input is larger than `above`; the rest stays."},
    Row{"@tier.above", integer, "", kTokens, "Tokens of input.", true},
    Row{"@tier.input", money, "", kMillion, "Input."},
    Row{"@tier.cached_input", money, "", kMillion, "Input read from the provider's prompt cache."},
    Row{"@tier.cache_write", money, "", kMillion, "Input written to it."},
    Row{"@tier.audio_in", money, "", kMillion, "Sound in the input."},
    Row{"@tier.image_in", money, "", kMillion, "Images in the input."},
    Row{"@tier.output", money, "", kMillion, "Output."},
    Row{"@tier.reasoning", money, "", kMillion, "Output that is not shown."},
    Row{"@tier.audio_out", money, "", kMillion, "Sound in the output."},
};

constexpr std::array kLater = {
    LaterKey{"models.*.fallbacks", "fallback models"},
    LaterKey{"models.*.upstreams[].cidr", "address lists for upstreams"},
    LaterKey{"providers.*.on_disconnect", "draining after a client left"},
    LaterKey{"cache.buckets", "cache buckets"},
};

} // namespace

std::span<const Row> all_rows() noexcept {
    return kRows;
}

std::span<const LaterKey> later_keys() noexcept {
    return kLater;
}

} // namespace tollgate::config
