#include "metrics/registry.hpp"

#include "metrics/families.hpp"
#include "tests/unit/metrics/support.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <stdexcept>
#include <thread>

namespace tollgate::metrics {
namespace {

using namespace std::chrono_literals;
using test::lines_of;
using test::value_of;

TEST(Registry, small_registry_gives_the_golden_exposition) {
    Registry registry;
    Shard first = registry.make_shard();
    Shard second = registry.make_shard();
    const Counter reloads = registry.counter(Family::config_reloads_total, {"success"});
    (void)registry.counter(Family::config_reloads_total, {"failure"});
    const Gauge active = registry.gauge(Family::upstream_connections, {"a\"b\\c\nd\xFF", "active"});
    const Histogram check = registry.histogram(Family::limit_check_duration_seconds, {});
    registry.set_info(Family::config_info, {{"9f3c1a"}});
    registry.gauge_source(Family::cache_entries, {"memory"}, [] { return 12.0; });

    first.add(reloads);
    second.add(reloads, 2);
    first.add(active, 1);
    second.add(active, -3);
    first.observe(check, 10us);
    second.observe(check, 10us + 1ns);
    second.observe(check, 3s);

    const std::string expected = R"(# HELP tollgate_cache_entries Response cache entries; tier is memory or redis.
# TYPE tollgate_cache_entries gauge
tollgate_cache_entries{tier="memory"} 12
# HELP tollgate_limit_check_duration_seconds Time to decide all limits of a request.
# TYPE tollgate_limit_check_duration_seconds histogram
tollgate_limit_check_duration_seconds_count 3
tollgate_limit_check_duration_seconds_sum 3.000020001
tollgate_limit_check_duration_seconds_bucket{le="1e-05"} 1
tollgate_limit_check_duration_seconds_bucket{le="5e-05"} 2
tollgate_limit_check_duration_seconds_bucket{le="0.0001"} 2
tollgate_limit_check_duration_seconds_bucket{le="0.0005"} 2
tollgate_limit_check_duration_seconds_bucket{le="0.001"} 2
tollgate_limit_check_duration_seconds_bucket{le="0.005"} 2
tollgate_limit_check_duration_seconds_bucket{le="0.01"} 2
tollgate_limit_check_duration_seconds_bucket{le="0.05"} 2
tollgate_limit_check_duration_seconds_bucket{le="0.1"} 2
tollgate_limit_check_duration_seconds_bucket{le="+Inf"} 3
# HELP tollgate_upstream_connections Upstream connections; state is active or idle.
# TYPE tollgate_upstream_connections gauge
tollgate_upstream_connections{upstream="a\"b\\c\nd)"
                                 "\xEF\xBF\xBD"
                                 R"(",state="active"} -2
# HELP tollgate_config_info Always 1; hash of the active configuration.
# TYPE tollgate_config_info gauge
tollgate_config_info{hash="9f3c1a"} 1
# HELP tollgate_config_reloads_total Configuration reloads; result is success or failure.
# TYPE tollgate_config_reloads_total counter
tollgate_config_reloads_total{result="failure"} 0
tollgate_config_reloads_total{result="success"} 3
)";
    const std::string text = registry.expose();
    EXPECT_EQ(lines_of(text, {"tollgate_cache_", "tollgate_limit_", "tollgate_upstream_", "tollgate_config_"}),
              expected);
    EXPECT_EQ(value_of(text, "tollgate_metrics_series{family=\"tollgate_limit_check_duration_seconds\"}"), "12");
}

TEST(Registry, bucket_edges_belong_to_the_lower_bucket) {
    Registry registry;
    Shard shard = registry.make_shard();
    const Histogram bytes = registry.histogram(Family::request_body_bytes, {"chat"});
    for (const std::uint64_t value : {0U, 256U, 257U, 67108864U, 67108865U}) shard.observe(bytes, value);
    const std::string text = registry.expose();
    const auto bucket = [&](const std::string& le) {
        return value_of(text, "tollgate_request_body_bytes_bucket{operation=\"chat\",le=\"" + le + "\"}");
    };
    EXPECT_EQ(bucket("256"), "2");
    EXPECT_EQ(bucket("1024"), "3");
    EXPECT_EQ(bucket("67108864"), "4");
    EXPECT_EQ(bucket("+Inf"), "5");
    EXPECT_EQ(value_of(text, "tollgate_request_body_bytes_sum{operation=\"chat\"}"), "134218242");
}

TEST(Registry, negative_duration_counts_as_zero) {
    Registry registry;
    Shard shard = registry.make_shard();
    shard.observe(registry.histogram(Family::event_loop_lag_seconds, {}), -5s);
    const std::string text = registry.expose();
    EXPECT_EQ(value_of(text, "tollgate_event_loop_lag_seconds_sum"), "0");
    EXPECT_EQ(value_of(text, "tollgate_event_loop_lag_seconds_count"), "1");
}

TEST(Registry, default_handles_write_to_a_sink) {
    Registry registry;
    Shard shard = registry.make_shard();
    const Counter first = registry.counter(Family::log_messages_total, {"info"});
    shard.add(Counter{}, 7);
    shard.add(Gauge{}, 7);
    shard.observe(Histogram{}, std::uint64_t{7});
    shard.add(first);
    EXPECT_EQ(value_of(registry.expose(), "tollgate_log_messages_total{level=\"info\"}"), "1");
}

TEST(Registry, same_labels_give_the_same_handle) {
    Registry registry;
    EXPECT_EQ(registry.counter(Family::log_messages_total, {"info"}).slot,
              registry.counter(Family::log_messages_total, {"info"}).slot);
    EXPECT_NE(registry.counter(Family::log_messages_total, {"info"}).slot,
              registry.counter(Family::log_messages_total, {"warn"}).slot);
}

TEST(Registry, wrong_type_or_label_count_throws) {
    Registry registry;
    EXPECT_THROW((void)registry.gauge(Family::log_messages_total, {"info"}), std::invalid_argument);
    EXPECT_THROW((void)registry.counter(Family::log_messages_total, {}), std::invalid_argument);
    EXPECT_THROW(registry.set_info(Family::config_info, {{"a", "b"}}), std::invalid_argument);
    EXPECT_THROW(registry.gauge_source(Family::log_messages_total, {"info"}, [] { return 0.0; }),
                 std::invalid_argument);
}

TEST(Registry, sources_add_to_slots_and_nan_is_left_out) {
    Registry registry;
    Shard shard = registry.make_shard();
    shard.add(registry.counter(Family::cache_evictions_total, {"memory", "ttl"}), 2);
    registry.counter_source(Family::cache_evictions_total, {"memory", "ttl"}, [] { return 40.0; });
    registry.counter_source(Family::cache_evictions_total, {"memory", "size"}, [] { return 5.0; });
    registry.gauge_source(Family::cache_entries, {"memory"}, [] { return std::numeric_limits<double>::quiet_NaN(); });
    std::string text = registry.expose();
    EXPECT_EQ(value_of(text, "tollgate_cache_evictions_total{tier=\"memory\",reason=\"ttl\"}"), "42");
    EXPECT_EQ(value_of(text, "tollgate_cache_evictions_total{tier=\"memory\",reason=\"size\"}"), "5");
    EXPECT_EQ(value_of(text, "tollgate_cache_entries{tier=\"memory\"}"), "absent");
    registry.gauge_source(Family::cache_entries, {"memory"}, [] { return 3.0; });
    text = registry.expose();
    EXPECT_EQ(value_of(text, "tollgate_cache_entries{tier=\"memory\"}"), "3");
}

TEST(Registry, info_rows_are_replaced_as_a_whole) {
    Registry registry;
    registry.set_info(Family::key_info, {{"k1", "t", "old"}, {"k2", "t", "b"}});
    registry.set_info(Family::key_info, {{"k1", "t", "new"}});
    const std::string text = registry.expose();
    EXPECT_EQ(lines_of(text, {"tollgate_key_info{"}), "tollgate_key_info{key=\"k1\",team=\"t\",alias=\"new\"} 1\n");
}

TEST(Registry, sources_are_replaced_as_a_whole) {
    Registry registry;
    registry.replace_sources(Family::budget_spent_usd,
                             {{{"team", "a", "day"}, [] { return 1.5; }}, {{"team", "b", "day"}, [] { return 2.0; }}});
    registry.replace_sources(Family::budget_spent_usd, {{{"team", "a", "day"}, [] { return 3.0; }}});
    EXPECT_EQ(lines_of(registry.expose(), {"tollgate_budget_spent_usd{"}),
              "tollgate_budget_spent_usd{scope=\"team\",name=\"a\",window=\"day\"} 3\n");
    registry.replace_sources(Family::budget_spent_usd, {});
    EXPECT_EQ(lines_of(registry.expose(), {"tollgate_budget_spent_usd"}), "");
}

TEST(Registry, past_the_cap_open_labels_fold_and_closed_ones_stay) {
    Registry registry;
    Shard shard = registry.make_shard();
    for (int i = 0; i < 10'000; ++i) {
        shard.add(registry.counter(Family::key_requests_total, {"k" + std::to_string(i), "t", "success"}));
    }
    shard.add(registry.counter(Family::key_requests_total, {"k_late", "t", "success"}), 3);
    shard.add(registry.counter(Family::key_requests_total, {"k_later", "t", "rejected"}), 4);
    shard.add(registry.counter(Family::key_requests_total, {"k5", "t", "success"}), 5);
    const std::string text = registry.expose();
    EXPECT_EQ(value_of(text, R"(tollgate_key_requests_total{key="_other",team="_other",outcome="success"})"), "3");
    EXPECT_EQ(value_of(text, R"(tollgate_key_requests_total{key="_other",team="_other",outcome="rejected"})"), "4");
    EXPECT_EQ(value_of(text, R"(tollgate_key_requests_total{key="k5",team="t",outcome="success"})"), "6");
    EXPECT_EQ(value_of(text, R"(tollgate_metrics_overflow_total{family="tollgate_key_requests_total"})"), "2");
    EXPECT_EQ(value_of(text, R"(tollgate_metrics_series{family="tollgate_key_requests_total"})"), "10002");
}

TEST(Registry, closed_labels_fold_at_twice_the_cap) {
    Registry registry;
    for (int i = 0; i < 25'000; ++i) (void)registry.counter(Family::log_messages_total, {std::to_string(i)});
    const std::string text = registry.expose();
    EXPECT_EQ(value_of(text, R"(tollgate_metrics_series{family="tollgate_log_messages_total"})"), "20001");
    EXPECT_EQ(value_of(text, R"(tollgate_log_messages_total{level="_other"})"), "0");
    EXPECT_EQ(value_of(text, R"(tollgate_metrics_overflow_total{family="tollgate_log_messages_total"})"), "15000");
}

// Slots allotted after the shards exist, first writes and scrapes all at once; under TSan this is the proof.
TEST(Registry, scrapes_during_writes_see_growing_and_finally_exact_sums) {
    constexpr int kThreads = 3;
    constexpr std::uint64_t kRounds = 20'000;
    Registry registry;
    std::atomic<int> running{kThreads};
    std::vector<std::jthread> writers;
    for (int t = 0; t < kThreads; ++t) {
        writers.emplace_back([&registry, &running, t, shard = registry.make_shard()]() mutable {
            const Counter shared = registry.counter(Family::config_reloads_total, {"success"});
            const Gauge gauge = registry.gauge(Family::streams_open, {});
            const Histogram lag = registry.histogram(Family::event_loop_lag_seconds, {});
            for (std::uint64_t i = 0; i < kRounds; ++i) {
                shard.add(shared);
                shard.add(gauge, i % 2 == 0 ? 1 : -1);
                shard.observe(lag, 1ms);
                if (i % 20 != 0) continue; // more than one chunk of slots
                const std::string name = std::to_string(t) + "-" + std::to_string(i);
                shard.observe(registry.histogram(Family::upstream_request_duration_seconds, {name, "m"}), 1s);
            }
            running.fetch_sub(1);
        });
    }
    std::uint64_t last = 0;
    while (running.load() > 0) {
        const std::string text = registry.expose();
        const std::string value = value_of(text, "tollgate_config_reloads_total{result=\"success\"}");
        if (value == "absent") continue;
        const std::uint64_t now = std::stoull(value);
        EXPECT_GE(now, last);
        last = now;
    }
    writers.clear();
    const std::string text = registry.expose();
    EXPECT_EQ(value_of(text, "tollgate_config_reloads_total{result=\"success\"}"), std::to_string(kThreads * kRounds));
    EXPECT_EQ(value_of(text, "tollgate_streams_open"), "0");
    EXPECT_EQ(value_of(text, "tollgate_event_loop_lag_seconds_count"), std::to_string(kThreads * kRounds));
    EXPECT_EQ(value_of(text, "tollgate_event_loop_lag_seconds_sum"), std::to_string(kThreads * kRounds / 1000));
    EXPECT_EQ(value_of(text, R"(tollgate_upstream_request_duration_seconds_count{upstream="2-19980",model="m"})"), "1");
}

TEST(Registry, process_families_are_there) {
    Registry registry;
    const std::string text = registry.expose();
    for (const char* name : {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds",
                             "process_start_time_seconds", "tollgate_scrape_duration_seconds"}) {
        EXPECT_NE(value_of(text, name), "absent") << name;
    }
}

} // namespace
} // namespace tollgate::metrics
