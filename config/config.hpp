// What the operator wrote, as plain values with the defaults in place. Loaded by config/load, described by
// config/schema, immutable afterwards: a reload makes a new Config, requests in flight keep theirs.
#pragma once

#include "config/address.hpp"
#include "gateway/base/secret.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tollgate::config {

// Where in the file a value was written; line 0 means "not written". Lines and columns count from 1.
struct Mark {
    int line = 0;
    int column = 0;
};

struct Endpoint {
    std::string host; // literal address, no name
    std::uint16_t port = 0;
};

struct TlsFiles {
    std::string cert;      // PEM chain
    std::string key;       // PEM private key
    std::string client_ca; // PEM authorities of client certificates; empty: none is asked for
};

enum class HalfClose : std::uint8_t { gone, serve };

// What one client connection may cost (reliability §2.2 has the reasons and what others do).
struct ClientLimits {
    std::uint64_t request_line = 8 * 1024; // octets
    std::uint64_t field = 8 * 1024;        // octets of one header line
    std::uint64_t head = 32 * 1024;        // octets of the request line and all fields
    std::uint64_t fields = 100;
    std::chrono::milliseconds head_time{10'000};   // from the connection, or the head's first octet, to its last
    std::chrono::milliseconds keep_alive{60'000};  // between requests
    std::chrono::milliseconds body_idle{30'000};   // without an octet of the body
    std::uint64_t body_rate = 1024;                // octets per second, asked for after body_idle; 0: none
    std::chrono::milliseconds write_stall{30'000}; // an answer's octets find no reader
    std::uint64_t requests = 1'000;                // then Connection: close
    std::chrono::milliseconds age{3'600'000};      // then Connection: close
    std::uint64_t failed_keys = 60;                // per source address and minute

    friend bool operator==(const ClientLimits&, const ClientLimits&) = default;
};

struct Listen {
    Endpoint api{"127.0.0.1", 8080};
    std::optional<Endpoint> metrics;
    std::optional<Endpoint> admin;
    unsigned workers = 0; // 0: one per core (`auto`)
    std::optional<TlsFiles> tls;
    HalfClose half_close = HalfClose::gone;
    unsigned max_connections = 10'000;         // on the api listener, all workers together
    unsigned connections_per_address = 0;      // 0: half of max_connections (`auto`)
    std::vector<AddressRange> trusted_proxies; // whose X-Forwarded-For is believed
    ClientLimits limits;
};

struct Overload {
    std::uint64_t memory = 0; // 0: what the control group or the machine has (`auto`)
    std::chrono::milliseconds loop_lag{500};

    friend bool operator==(const Overload&, const Overload&) = default;
};

enum class RedisMode : std::uint8_t { single, sentinel, cluster };

struct RedisHost {
    std::string name;
    std::uint16_t port = 6379;
};

struct Redis {
    Secret url; // redis://[user:password@]host:port[,host:port…]/db; may hold a password
    RedisMode mode = RedisMode::single;
    std::string host; // of the server, of the first sentinel, or of the first node
    std::uint16_t port = 6379;
    std::vector<RedisHost> others;    // further sentinels or nodes
    std::string primary = "mymaster"; // as the sentinels call it
    std::string user;
    Secret password;
    unsigned database = 0;
    std::string prefix = "tg:";
    std::chrono::milliseconds timeout{30};
    bool use_cache = false; // `use` contains "cache", or "flights", which waits for what the cache shares
    bool use_flights = false;
};

struct Provider {
    std::string name;
    std::string base_url; // as written, without a trailing slash
    bool https = true;    // the parts of base_url
    std::string host;
    std::uint16_t port = 443;
    std::string path_prefix; // "/v1", possibly empty; never ends in a slash
    std::vector<Secret> api_keys;
    bool is_private = false;              // http and private address ranges are permitted
    std::vector<AddressRange> cidr;       // not empty: no other address is connected to; needs is_private
    std::string ca_file;                  // extra trust anchor; empty: the system's
    std::string organization, project;    // sent as OpenAI-Organization / OpenAI-Project when set
    std::vector<std::string> default_for; // route groups without a model: files, batches, …; "*" = all of them
    bool stream_usage = false;            // understands stream_options.include_usage: it is asked for in every stream
    Mark mark;
};

enum class Via : std::uint8_t { same, chat };

struct Upstream {
    std::string provider;
    std::string model; // name at the provider; empty: the client's name passes through (wildcards)
    unsigned weight = 1;
    unsigned order = 1;
    Via via = Via::same;
    Mark mark;
};

struct Timeouts {
    std::chrono::milliseconds connect{5'000};
    std::chrono::milliseconds first_token{600'000}; // to the answer's first octet
    std::chrono::milliseconds idle{300'000};        // between octets of an answer
    std::chrono::milliseconds total{1'800'000};
};

// Every level may override; an unset value inherits from the next wider level.
struct CacheOverride {
    std::optional<bool> enabled;
    std::optional<std::chrono::milliseconds> ttl;
    std::optional<bool> sampled;
    std::optional<std::chrono::milliseconds> stale_while_revalidate, stale_if_error;
};

// How a limit binds (design §9, limits-cache §2.3); what it means per dimension is in policy/quota/limits.hpp.
enum class LimitMode : std::uint8_t { strict, balanced, last_call, soft };

// Added to a limit until an instant, exclusive.
struct Raise {
    std::uint64_t by = 0;
    std::chrono::sys_seconds until;
};

// What happens to a stream that has used up a limit or budget: it may end, or it is ended.
enum class OnExhausted : std::uint8_t { finish, cut };

struct Limit {
    std::uint64_t amount = 0;                       // per minute, or open at once
    std::optional<std::uint64_t> burst{};           // rates only: bucket size; default: amount
    LimitMode mode = LimitMode::strict;             // never last_call
    bool shadow = false;                            // counts what it would have denied, denies nothing
    OnExhausted on_exhausted = OnExhausted::finish; // tokens only
    std::optional<Raise> raise{};
    Mark mark{};
};

struct Limits {
    std::optional<Limit> rpm{}; // requests per minute
    std::optional<Limit> tpm{}; // tokens per minute, input and output together
    std::optional<Limit> input_tpm{};
    std::optional<Limit> output_tpm{};
    std::optional<Limit> concurrency{}; // requests in flight
};

enum class Per : std::uint8_t { hour, day, week, month, quarter, year, rolling, lifetime };

struct BudgetRaise {
    std::int64_t nano = 0; // nano-USD
    std::chrono::sys_seconds until;
};

struct Budget {
    std::int64_t nano = 0; // nano-USD per period
    Per per = Per::month;
    std::string timezone = "UTC"; // IANA name, not checked here; hour to year
    unsigned anchor_day = 1;      // month: its first day, 1 to 31
    std::chrono::weekday week_start = std::chrono::Monday;
    std::chrono::seconds window{}; // rolling
    LimitMode mode = LimitMode::strict;
    bool shadow = false;
    OnExhausted on_exhausted = OnExhausted::finish;
    std::optional<BudgetRaise> raise{};
    Mark mark{};
    Mark timezone_mark{}; // of the budget if no zone is written
};

// What an org, a team or a key may take of one model.
struct ModelShare {
    Limits limits{};
    std::vector<Budget> budgets{};
    Mark mark{};
};
using ModelShares = std::map<std::string, ModelShare>; // by the model's configured name

// pico-USD for one unit, by the name that policy/price gives the class: "cached_input".
using PriceRates = std::map<std::string, std::int64_t, std::less<>>;

struct PriceTier {
    std::uint64_t above = 0; // tokens of input, for the whole request
    PriceRates rates;        // what is absent keeps the price below the tier
};

// The prices of one model from a day on.
struct PriceCard {
    std::optional<std::chrono::sys_seconds> from; // absent: always
    PriceRates rates;
    std::vector<PriceTier> tiers;
    std::map<std::string, std::uint32_t, std::less<>> service; // "flex" -> thousandths of these prices
    Mark mark;
};

struct Model {
    std::string name; // may hold `*`
    std::vector<std::string> aliases;
    std::vector<Upstream> upstreams;
    Timeouts timeouts;
    CacheOverride cache;
    std::optional<std::uint64_t> max_output{}; // tokens of one answer
    std::optional<std::uint64_t> context{};    // tokens of input and output together
    std::vector<PriceCard> prices{};           // in the order written; empty: the price lists decide
    Limits limits{};                           // of all orgs together
    std::vector<Budget> budgets{};
    Mark mark;
};

struct Org {
    std::string name;
    Limits limits;
    std::vector<Budget> budgets{};
    ModelShares per_model{};
    Mark mark;
};

struct Team {
    std::string name;
    std::string org = "default";
    std::vector<std::string> models; // allow-list, wildcards; empty: all
    Limits limits;
    std::vector<Budget> budgets{};
    ModelShares per_model{};
    std::string contact;
    CacheOverride cache;
    Mark mark;
};

struct Key {
    std::string id;    // public: logs, metrics
    std::string alias; // free text for people
    std::string team;
    Secret secret;      // exactly one of secret and sha256 is set
    std::string sha256; // lower-case hex of SHA-256(secret)
    std::vector<std::string> models;
    std::vector<std::string> routes; // granted stateful route groups
    Limits limits;
    std::vector<Budget> budgets{};
    ModelShares per_model{};
    CacheOverride cache;
    std::optional<std::chrono::sys_seconds> expires;
    bool disabled = false;
    Mark mark;
};

enum class CacheScope : std::uint8_t { key, team, org };

struct Cache {
    bool enabled = false;
    std::chrono::milliseconds ttl{3'600'000};
    std::uint64_t memory = 256ULL << 20;
    std::uint64_t max_entry = 1ULL << 20;
    CacheScope scope = CacheScope::team;
    bool sampled = true;
    std::chrono::milliseconds stale_while_revalidate{}; // after the TTL, with one call that renews the answer
    std::chrono::milliseconds stale_if_error{};         // after the TTL, where no provider answers
};

// Calls that are asked for again while they run are made once, wherever the cache is on.
struct Flights {
    bool enabled = true;
    std::chrono::milliseconds linger{0}; // how long a call goes on when nobody waits for it any more
};

struct Body {
    std::uint64_t json = 32ULL << 20;       // cap of a JSON request body
    std::uint64_t multipart = 512ULL << 20; // cap of a multipart request body
    std::uint64_t held = 1ULL << 30;        // process cap of request bytes held in memory
};

struct Drain {
    std::chrono::milliseconds delay{5'000};
    std::chrono::milliseconds timeout{300'000};
};

struct AccessLog {
    std::string path = "stdout"; // stdout, stderr, off, or a file
};

// Where prices come from that no model's own `price` says.
struct Prices {
    std::vector<std::string> import; // files in the format of model_prices_and_context_window.json; a later one wins
    bool shipped = true;             // the list prices that are built in, after the imported ones
};

// How the tokens of an input are counted where the model's encoding is known.
struct Tokenizers {
    std::string path = "/usr/share/tollgate/tokenizers"; // of the rank files; without them octets are counted
    std::uint64_t max_body = 64ULL << 10;                // larger bodies are bounded by their octets
};

// Who is told that a budget has passed a threshold.
struct Webhook {
    Provider endpoint; // without keys; `base_url` and `path_prefix` stay empty: the URL may be a secret as a whole
    Secret target;     // "/hooks/1?token=…"
    Secret secret;     // signs the messages; empty: they are not signed
    std::chrono::milliseconds timeout{10'000};
};

struct Alerts {
    std::optional<Webhook> webhook;
};

struct Config {
    std::string file; // path it was loaded from
    std::string hash; // first 12 hex digits of SHA-256 of the text
    Listen listen;
    std::string store_path = "./tollgate-data";
    Secret master_secret; // secrets.master; empty: made in the store
    std::optional<Redis> redis;
    std::map<std::string, Provider> providers;
    std::map<std::string, Model> models;
    std::map<std::string, Org> orgs;
    std::map<std::string, Team> teams;
    std::vector<Key> keys;
    Prices prices;
    Tokenizers tokenizers;
    Alerts alerts;
    Cache cache;
    Flights flights;
    Body body;
    Overload overload;
    Drain drain;
    AccessLog access_log;
};

} // namespace tollgate::config
