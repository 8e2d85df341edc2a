// Every metric family of the gateway in one table: name, help, type, labels and buckets (observability §1.3, §1.4).
// The names are an interface: tests/unit/metrics/families.golden fails on a rename or a removal.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tollgate::metrics {

enum class Family : std::uint16_t {
    // Edge: what callers experience.
    requests_total,
    errors_total,
    http_requests_total,
    client_requests_total,
    request_duration_seconds,
    time_to_first_token_seconds,
    time_per_output_token_seconds,
    stream_max_gap_seconds,
    gateway_overhead_seconds,
    requests_in_flight,
    streams_open,
    request_body_bytes,
    response_body_bytes,
    // Tokens, teams, keys.
    tokens_total,
    token_details_total,
    cost_usd_total,
    unpriced_requests_total,
    request_tokens,
    request_cost_usd,
    usage_records_total,
    usage_rejected_total,
    team_requests_total,
    team_tokens_total,
    team_cost_usd_total,
    key_requests_total,
    key_tokens_total,
    key_cost_usd_total,
    key_info,
    // Response cache.
    saved_usd_total,
    cache_served_tokens_total,
    cache_lookups_total,
    cache_bypass_total,
    cache_lookup_duration_seconds,
    cache_stores_total,
    cache_evictions_total,
    cache_entries,
    cache_size_bytes,
    cache_capacity_bytes,
    // Limits.
    limit_rejections_total,
    limit_check_duration_seconds,
    budget_limit_usd,
    budget_spent_usd,
    budget_reserved_usd,
    budget_resets_timestamp_seconds,
    budget_alerts_total,
    alert_deliveries_total,
    keys,
    // Upstreams.
    upstream_attempts_total,
    upstream_request_duration_seconds,
    upstream_time_to_first_token_seconds,
    upstream_connect_duration_seconds,
    upstream_connections,
    model_upstreams,
    upstream_retries_total,
    stream_interruptions_total,
    // Process, configuration, stores, the telemetry itself.
    build_info,
    config_info,
    config_last_reload_success,
    config_last_reload_timestamp_seconds,
    config_reloads_total,
    audit_events_total,
    event_loop_lag_seconds,
    overload_state,
    listener_connections,
    listener_accepts_total,
    tls_handshakes_total,
    tls_certificate_not_after_timestamp_seconds,
    store_requests_total,
    store_duration_seconds,
    log_messages_total,
    log_dropped_total,
    metrics_series,
    metrics_overflow_total,
    scrape_duration_seconds,
    // Official process names, read from /proc at scrape time.
    process_cpu_seconds_total,
    process_resident_memory_bytes,
    process_virtual_memory_bytes,
    process_virtual_memory_max_bytes,
    process_heap_bytes,
    process_open_fds,
    process_max_fds,
    process_threads,
    process_start_time_seconds,
};
inline constexpr std::size_t kFamilyCount = static_cast<std::size_t>(Family::process_start_time_seconds) + 1;

enum class FamilyType : std::uint8_t { counter, gauge, histogram };
[[nodiscard]] std::string_view to_string(FamilyType type) noexcept;

inline constexpr std::size_t kMaxLabels = 5;
inline constexpr std::size_t kMaxBounds = 18; // the longest bucket set, T

struct FamilyRow {
    Family family;
    std::string_view name; // as exposed, with its prefix
    std::string_view help;
    FamilyType type;
    std::array<std::string_view, kMaxLabels> label_names; // the first label_count() are used
    std::span<const std::uint64_t> bounds{};              // histograms: ascending, in the integer unit
    std::uint64_t divisor = 1;                            // integer units per exposed unit: 10^9 for seconds

    [[nodiscard]] constexpr std::size_t label_count() const noexcept {
        std::size_t count = 0;
        while (count < kMaxLabels && !label_names[count].empty()) ++count;
        return count;
    }
};

[[nodiscard]] const FamilyRow& family_row(Family family) noexcept;
[[nodiscard]] std::span<const FamilyRow> all_families() noexcept; // index = Family

// The label takes its values from the configuration, so its number of values has no bound known here. Past the cap of a
// family such values become "_other", while labels with closed sets keep theirs.
[[nodiscard]] bool is_open_label(std::string_view label_name) noexcept;

} // namespace tollgate::metrics
