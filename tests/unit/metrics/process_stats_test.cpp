#include "metrics/process_stats.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace tollgate::metrics {
namespace {

TEST(ProcessStats, stat_line_with_a_hostile_name_is_parsed) {
    ProcessStats stats;
    parse_process_stat(
        "42 (a) R (b) S 1 42 42 0 -1 4194304 128 0 0 0 250 50 0 0 20 0 7 0 1000 3133440 394 18446744073709551615",
        1'700'000'000, 100, 4096, stats);
    EXPECT_DOUBLE_EQ(stats.cpu_seconds, 3.0);
    EXPECT_DOUBLE_EQ(stats.threads, 7);
    EXPECT_DOUBLE_EQ(stats.start_time_seconds, 1'700'000'010);
    EXPECT_DOUBLE_EQ(stats.virtual_bytes, 3133440);
    EXPECT_DOUBLE_EQ(stats.resident_bytes, 394 * 4096);
}

TEST(ProcessStats, truncated_text_leaves_unknown_values) {
    ProcessStats stats;
    parse_process_stat("42 (a) R 1", 0, 100, 4096, stats);
    EXPECT_TRUE(std::isnan(stats.cpu_seconds)) << stats.cpu_seconds;
    EXPECT_TRUE(std::isnan(stats.resident_bytes)) << stats.resident_bytes;
}

TEST(ProcessStats, own_process_is_plausible) {
    const ProcessStats stats = read_process_stats();
    EXPECT_GT(stats.resident_bytes, 1e6);
    EXPECT_GE(stats.virtual_bytes, stats.resident_bytes);
    EXPECT_GT(stats.heap_bytes, 0);
    EXPECT_GE(stats.open_fds, 3);
    EXPECT_GE(stats.max_fds, stats.open_fds);
    EXPECT_GE(stats.threads, 1);
    EXPECT_GT(stats.start_time_seconds, 1.6e9);
    EXPECT_GE(stats.cpu_seconds, 0);
    EXPECT_GT(stats.virtual_max_bytes, 0);
}

} // namespace
} // namespace tollgate::metrics
