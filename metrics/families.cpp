#include "metrics/families.hpp"

#include <algorithm>

namespace tollgate::metrics {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000; // durations are kept in nanoseconds
constexpr std::uint64_t kDollar = 1'000'000'000; // money in nano-USD
constexpr std::uint64_t us(std::uint64_t n) {
    return n * 1'000;
}
constexpr std::uint64_t ms(std::uint64_t n) {
    return n * 1'000'000;
}
constexpr std::uint64_t s(std::uint64_t n) {
    return n * kSecond;
}

// Bucket sets under their letters in observability §1.4.
constexpr std::array kD{us(2500), ms(10), ms(50), ms(100), ms(250), ms(500), s(1),   ms(2500),
                        s(5),     s(10),  s(20),  s(30),   s(60),   s(120),  s(300), s(600)};
constexpr std::array kT{ms(10),   ms(50), ms(100),  ms(200), ms(350), ms(500), ms(750), s(1),   ms(1500),
                        ms(2500), s(5),   ms(7500), s(10),   s(20),   s(30),   s(60),   s(120), s(300)};
constexpr std::array kP{ms(1),  us(2500), ms(5),   ms(10),  ms(15),  ms(20),  ms(30), ms(40),
                        ms(50), ms(75),   ms(100), ms(150), ms(250), ms(500), s(1),   ms(2500)};
constexpr std::array kG{ms(50), ms(100), ms(250), ms(500), s(1), ms(2500), s(5), s(10), s(30), s(60), s(120)};
constexpr std::array kO{us(50), us(100), us(250), us(500), ms(1),   us(2500), ms(5),
                        ms(10), ms(25),  ms(50),  ms(100), ms(250), s(1)};
constexpr std::array<std::uint64_t, 10> kB{256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864};
constexpr std::array<std::uint64_t, 12> kK{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304};
constexpr std::array<std::uint64_t, 14> kU{
    kDollar / 100'000, kDollar / 10'000, kDollar / 1'000, kDollar / 200,   kDollar / 100, kDollar / 20, kDollar / 10,
    kDollar / 4,       kDollar / 2,      kDollar,         kDollar / 2 * 5, 5 * kDollar,   10 * kDollar, 25 * kDollar};
constexpr std::array kF{us(10), us(50), us(100), us(500), ms(1), ms(5), ms(10), ms(50), ms(100)};
constexpr std::array kC{ms(1),   us(2500), ms(5), ms(10),   ms(25), ms(50), ms(100),
                        ms(250), ms(500),  s(1),  ms(2500), s(5),   s(10)};
constexpr std::array kL{us(100), us(500), ms(1), ms(5), ms(10), ms(25), ms(50), ms(100), ms(250), ms(500), s(1)};
static_assert(kT.size() == kMaxBounds);

using Labels = std::array<std::string_view, kMaxLabels>;

constexpr FamilyRow counter(Family family, std::string_view name, Labels labels, std::string_view help) {
    return {family, name, help, FamilyType::counter, labels};
}
// Money is kept in nano-USD.
constexpr FamilyRow gauge(Family family, std::string_view name, Labels labels, std::string_view help) {
    return {family, name, help, FamilyType::gauge, labels};
}
constexpr FamilyRow seconds(Family family, std::string_view name, Labels labels, std::span<const std::uint64_t> bounds,
                            std::string_view help) {
    return {family, name, help, FamilyType::histogram, labels, bounds, kSecond};
}
constexpr FamilyRow octets(Family family, std::string_view name, Labels labels, std::string_view help) {
    return {family, name, help, FamilyType::histogram, labels, kB, 1};
}

constexpr FamilyRow dollars(Family family, std::string_view name, Labels labels, std::string_view help) {
    return {family, name, help, FamilyType::counter, labels, {}, kDollar};
}

constexpr std::array kRows{
    counter(Family::requests_total, "tollgate_requests_total", {"operation", "model", "stream", "outcome"},
            "Finished LLM operations as the caller saw them."),
    counter(Family::errors_total, "tollgate_errors_total", {"operation", "model", "error_type", "code"},
            "Operations that did not succeed, once each; code is the HTTP status sent, or none if nothing was sent."),
    counter(Family::http_requests_total, "tollgate_http_requests_total", {"listener", "route", "method", "code"},
            "All HTTP requests, unmatched paths included; route is the pattern."),
    counter(Family::client_requests_total, "tollgate_client_requests_total", {"client", "operation"},
            "Finished operations by client software (closed list of User-Agent families)."),
    seconds(Family::request_duration_seconds, "tollgate_request_duration_seconds", {"operation", "model", "stream"}, kD,
            "First request byte to last response byte."),
    seconds(Family::time_to_first_token_seconds, "tollgate_time_to_first_token_seconds", {"operation", "model"}, kT,
            "Request to first chunk with content written to the client; streams only."),
    seconds(Family::time_per_output_token_seconds, "tollgate_time_per_output_token_seconds", {"operation", "model"}, kP,
            "What a token of a stream took after its first, once per successful stream of several tokens."),
    seconds(Family::stream_max_gap_seconds, "tollgate_stream_max_gap_seconds", {"operation"}, kG,
            "Longest silence between events of one stream."),
    seconds(Family::gateway_overhead_seconds, "tollgate_gateway_overhead_seconds", {"operation", "stream"}, kO,
            "Time of a request not spent waiting for upstreams."),
    gauge(Family::requests_in_flight, "tollgate_requests_in_flight", {"operation"}, "Operations being served now."),
    gauge(Family::streams_open, "tollgate_streams_open", {}, "Open SSE streams."),
    octets(Family::request_body_bytes, "tollgate_request_body_bytes", {"operation"}, "Request body size."),
    octets(Family::response_body_bytes, "tollgate_response_body_bytes", {"operation"}, "Response body size."),

    counter(Family::tokens_total, "tollgate_tokens_total", {"model", "provider", "type"},
            "Tokens of answered operations; type is input or output, which are disjoint."),
    counter(Family::token_details_total, "tollgate_token_details_total", {"model", "provider", "detail"},
            "Parts of tollgate_tokens_total, not to be added to it; detail is cache_read, cache_write, reasoning, "
            "audio_in, audio_out or image."),
    dollars(Family::cost_usd_total, "tollgate_cost_usd_total", {"model", "provider", "component"},
            "Spend; component is input, output, cache_read, cache_write or other. Exact figures are in the ledger."),
    counter(Family::unpriced_requests_total, "tollgate_unpriced_requests_total", {"model", "reason"},
            "Billed operations whose cost is not known: budgets do not see them; reason is model_not_in_table."),
    FamilyRow{Family::request_tokens,
              "tollgate_request_tokens",
              "Tokens of a request that was answered upstream, reported or estimated.",
              FamilyType::histogram,
              {"operation", "model", "type"},
              kK,
              1},
    FamilyRow{Family::request_cost_usd,
              "tollgate_request_cost_usd",
              "Cost of a request that was answered upstream and has a price.",
              FamilyType::histogram,
              {"model"},
              kU,
              kDollar},
    counter(Family::usage_records_total, "tollgate_usage_records_total", {"source", "stream"},
            "Where token counts came from: source is upstream, estimated or none."),
    counter(Family::usage_rejected_total, "tollgate_usage_rejected_total", {"provider"},
            "Answers whose provider told figures that cannot be: negative, no whole number, or absurd."),
    counter(Family::team_requests_total, "tollgate_team_requests_total", {"team", "model", "outcome"},
            "Finished operations by team; outcome is success, rejected or error."),
    counter(Family::team_tokens_total, "tollgate_team_tokens_total", {"team", "model", "type"},
            "Tokens by team; type is input or output."),
    dollars(Family::team_cost_usd_total, "tollgate_team_cost_usd_total", {"team", "model"}, "Spend by team and model."),
    counter(
        Family::key_requests_total, "tollgate_key_requests_total", {"key", "team", "outcome"},
        "Finished operations by public key id; outcome is success, rejected or error; keys past the cap are _other."),
    counter(Family::key_tokens_total, "tollgate_key_tokens_total", {"key", "team", "type"},
            "Tokens by public key id; type is input or output; keys past the cap are _other."),
    dollars(Family::key_cost_usd_total, "tollgate_key_cost_usd_total", {"key", "team"},
            "Spend by public key id; keys past the cap are _other."),
    gauge(Family::key_info, "tollgate_key_info", {"key", "team", "alias"}, "Always 1; joins a key's alias to its id."),

    dollars(Family::saved_usd_total, "tollgate_saved_usd_total", {"source", "model"},
            "List price of what did not have to be asked again; source is cache_exact or coalesced."),
    counter(Family::cache_served_tokens_total, "tollgate_cache_served_tokens_total", {"model", "type"},
            "Tokens of answers told from the cache, where they are known."),
    counter(Family::cache_lookups_total, "tollgate_cache_lookups_total", {"tier", "result"},
            "Response cache lookups; tier is memory or redis; result is hit, miss, stale, collapsed or error."),
    counter(Family::cache_bypass_total, "tollgate_cache_bypass_total", {"reason"},
            "Operations for which the response cache was not asked."),
    seconds(Family::cache_lookup_duration_seconds, "tollgate_cache_lookup_duration_seconds", {"tier"}, kF,
            "Response cache lookup time; tier is memory or redis."),
    counter(Family::cache_stores_total, "tollgate_cache_stores_total", {"tier", "result"},
            "Answers offered to the response cache; tier is memory or redis; result is stored, rejected or error."),
    counter(Family::cache_evictions_total, "tollgate_cache_evictions_total", {"tier", "reason"},
            "Entries removed from the response cache; tier is memory or redis; reason is ttl, size or purge."),
    gauge(Family::cache_entries, "tollgate_cache_entries", {"tier"},
          "Response cache entries; tier is memory or redis."),
    gauge(Family::cache_size_bytes, "tollgate_cache_size_bytes", {"tier"},
          "Memory held by the response cache; tier is memory or redis."),
    gauge(Family::cache_capacity_bytes, "tollgate_cache_capacity_bytes", {"tier"},
          "Configured size of the response cache; tier is memory or redis."),

    counter(Family::limit_rejections_total, "tollgate_limit_rejections_total", {"scope", "limit", "mode"},
            "Requests refused by a limit; mode is enforced or shadow."),
    seconds(Family::limit_check_duration_seconds, "tollgate_limit_check_duration_seconds", {}, kF,
            "Time to decide all limits of a request."),
    gauge(Family::budget_limit_usd, "tollgate_budget_limit_usd", {"scope", "name", "window"},
          "Budgets of teams and orgs, and of their pairs with a model: the amount, temporary raises included."),
    gauge(Family::budget_spent_usd, "tollgate_budget_spent_usd", {"scope", "name", "window"},
          "Spent in the current period of a budget."),
    gauge(Family::budget_reserved_usd, "tollgate_budget_reserved_usd", {"scope", "name", "window"},
          "Held for requests in flight."),
    gauge(Family::budget_resets_timestamp_seconds, "tollgate_budget_resets_timestamp_seconds",
          {"scope", "name", "window"}, "End of the current period of a budget; absent for budgets without one."),
    counter(Family::budget_alerts_total, "tollgate_budget_alerts_total", {"scope", "threshold"},
            "Thresholds of budgets (50, 80, 90 or 100 percent) that were passed, once per period."),
    counter(Family::alert_deliveries_total, "tollgate_alert_deliveries_total", {"result"},
            "Attempts to deliver an alert to the webhook; result is delivered, failed or, if it was the last one, "
            "abandoned."),
    gauge(Family::keys, "tollgate_keys", {"state"}, "Keys by state."),

    counter(Family::upstream_attempts_total, "tollgate_upstream_attempts_total",
            {"upstream", "model", "stream", "result", "error_type"},
            "Upstream calls, retries included; result is success, error or cancelled."),
    seconds(Family::upstream_request_duration_seconds, "tollgate_upstream_request_duration_seconds",
            {"upstream", "model"}, kD, "Duration of one upstream call."),
    seconds(Family::upstream_time_to_first_token_seconds, "tollgate_upstream_time_to_first_token_seconds",
            {"upstream", "model"}, kT, "Start of an upstream call to its first chunk with content; streams only."),
    seconds(Family::upstream_connect_duration_seconds, "tollgate_upstream_connect_duration_seconds",
            {"upstream", "phase"}, kC, "Time to open an upstream connection; phase is dns, tcp or tls."),
    gauge(Family::upstream_connections, "tollgate_upstream_connections", {"upstream", "state"},
          "Upstream connections; state is active or idle."),
    gauge(Family::model_upstreams, "tollgate_model_upstreams", {"model", "state"},
          "Upstreams of a model; none is ever unusable yet, since there are no breakers."),
    counter(Family::upstream_retries_total, "tollgate_upstream_retries_total", {"upstream", "reason"},
            "Upstream calls that were followed by another attempt, by the error that caused it."),
    counter(Family::stream_interruptions_total, "tollgate_stream_interruptions_total", {"upstream", "side", "reason"},
            "Streams that ended without their terminal event; side is client, upstream or gateway."),

    gauge(Family::build_info, "tollgate_build_info", {"version", "revision", "compiler"},
          "Always 1; identity of the running binary."),
    gauge(Family::config_info, "tollgate_config_info", {"hash"}, "Always 1; hash of the active configuration."),
    gauge(Family::config_last_reload_success, "tollgate_config_last_reload_success", {},
          "1 if the last configuration load succeeded, else 0."),
    gauge(Family::config_last_reload_timestamp_seconds, "tollgate_config_last_reload_timestamp_seconds", {},
          "Unix time of the last successful configuration load."),
    counter(Family::config_reloads_total, "tollgate_config_reloads_total", {"result"},
            "Configuration reloads; result is success or failure."),
    counter(Family::audit_events_total, "tollgate_audit_events_total", {"action", "result"},
            "Entries of the audit log; result is ok, denied or error."),
    seconds(Family::event_loop_lag_seconds, "tollgate_event_loop_lag_seconds", {}, kL,
            "Delay between posting a handler and its run, sampled on every event loop."),
    gauge(Family::overload_state, "tollgate_overload_state", {"state"},
          "1 for the step of self-protection in force: none, trim, no_keep_alive or shed."),
    gauge(Family::listener_connections, "tollgate_listener_connections", {"listener", "state"},
          "Open client connections; state is active or idle."),
    counter(Family::listener_accepts_total, "tollgate_listener_accepts_total", {"listener", "result"},
            "Client connections accepted (result is ok) or refused."),
    counter(Family::tls_handshakes_total, "tollgate_tls_handshakes_total", {"listener", "result"},
            "TLS handshakes with clients; result is ok, error, or refused where too many ran at once."),
    gauge(Family::tls_certificate_not_after_timestamp_seconds, "tollgate_tls_certificate_not_after_timestamp_seconds",
          {"name"}, "Unix time at which the certificate of a listener ends."),
    counter(Family::store_requests_total, "tollgate_store_requests_total", {"store", "op", "result"},
            "Operations on external or embedded stores."),
    seconds(Family::store_duration_seconds, "tollgate_store_duration_seconds", {"store", "op"}, kL,
            "Latency of store operations."),
    counter(Family::log_messages_total, "tollgate_log_messages_total", {"level"}, "Log lines of the gateway by level."),
    counter(Family::log_dropped_total, "tollgate_log_dropped_total", {"sink"},
            "Log lines lost by a full or broken sink."),
    gauge(Family::metrics_series, "tollgate_metrics_series", {"family"},
          "Series that a family exposes in this scrape."),
    counter(Family::metrics_overflow_total, "tollgate_metrics_overflow_total", {"family"},
            "Label sets folded into _other because their family was full, counted each time one is resolved."),
    gauge(Family::scrape_duration_seconds, "tollgate_scrape_duration_seconds", {}, "Time the previous scrape took."),

    counter(Family::process_cpu_seconds_total, "process_cpu_seconds_total", {},
            "Total user and system CPU time spent in seconds."),
    gauge(Family::process_resident_memory_bytes, "process_resident_memory_bytes", {}, "Resident memory size in bytes."),
    gauge(Family::process_virtual_memory_bytes, "process_virtual_memory_bytes", {}, "Virtual memory size in bytes."),
    gauge(Family::process_virtual_memory_max_bytes, "process_virtual_memory_max_bytes", {},
          "Maximum amount of virtual memory available in bytes."),
    gauge(Family::process_heap_bytes, "process_heap_bytes", {}, "Process heap size in bytes."),
    gauge(Family::process_open_fds, "process_open_fds", {}, "Number of open file descriptors."),
    gauge(Family::process_max_fds, "process_max_fds", {}, "Maximum number of open file descriptors."),
    gauge(Family::process_threads, "process_threads", {}, "Number of OS threads in the process."),
    gauge(Family::process_start_time_seconds, "process_start_time_seconds", {},
          "Start time of the process since unix epoch in seconds."),
};

constexpr bool in_enum_order() {
    for (std::size_t i = 0; i < kRows.size(); ++i) {
        if (static_cast<std::size_t>(kRows[i].family) != i) return false;
    }
    return kRows.size() == kFamilyCount;
}
static_assert(in_enum_order(), "family_row() indexes the table by enumerator");

} // namespace

std::string_view to_string(FamilyType type) noexcept {
    switch (type) {
    case FamilyType::counter: return "counter";
    case FamilyType::gauge: return "gauge";
    case FamilyType::histogram: return "histogram";
    }
    return "";
}

const FamilyRow& family_row(Family family) noexcept {
    return kRows[static_cast<std::size_t>(family)];
}

std::span<const FamilyRow> all_families() noexcept {
    return kRows;
}

bool is_open_label(std::string_view label_name) noexcept {
    static constexpr std::array<std::string_view, 8> kOpen{"model", "provider", "upstream", "team",
                                                           "key",   "alias",    "name",     "window"};
    return std::ranges::find(kOpen, label_name) != kOpen.end();
}

} // namespace tollgate::metrics
