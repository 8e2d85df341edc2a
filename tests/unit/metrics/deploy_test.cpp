// What ships for Prometheus and Grafana fits what the process exposes. promtool and python3 are the judges.
#include "metrics/families.hpp"
#include "tests/unit/metrics/support.hpp"

#include <gtest/gtest.h>

namespace tollgate::metrics {
namespace {

using test::CommandResult;

const std::string kSource = TOLLGATE_SOURCE_DIR;

bool has_promtool() {
    return test::run("command -v promtool", "").status == 0;
}

TEST(Deploy, promtool_has_no_complaint_about_any_family) {
    ASSERT_TRUE(has_promtool()) << "deploy/install-deps test installs promtool";
    Registry registry;
    test::fill_every_family(registry);
    const std::string text = registry.expose();
    for (const FamilyRow& row : all_families()) {
        EXPECT_NE(text.find("# TYPE " + std::string(row.name) + " "), std::string::npos) << row.name;
    }
    const CommandResult lint = test::run("promtool check metrics", text);
    EXPECT_EQ(lint.status, 0);
    EXPECT_EQ(lint.output, "");
}

TEST(Deploy, prometheus_configuration_is_valid) {
    ASSERT_TRUE(has_promtool()) << "deploy/install-deps test installs promtool";
    const CommandResult check = test::run("promtool check config " + kSource + "/deploy/prometheus.yml", "");
    EXPECT_EQ(check.status, 0) << check.output;
}

TEST(Deploy, dashboard_uses_only_names_that_a_fresh_process_exposes) {
    Registry registry;
    register_vocabulary(registry, *test::small_vocabulary());
    registry.set_info(Family::build_info, {{"0", "r", "c"}}); // these two are the composition root's
    registry.gauge_source(Family::config_last_reload_success, {}, [] { return 1.0; });
    RequestMetrics metrics(registry, registry.make_shard());
    RequestRecord refused; // errors_total and http_requests_total have no series before the first event
    refused.operation = "chat";
    refused.outcome = Outcome::client_error;
    metrics.record(refused);
    const CommandResult check =
        test::run(kSource + "/tests/dashboard_metrics " + kSource + "/deploy/grafana/dashboards/tollgate-overview.json",
                  registry.expose());
    EXPECT_EQ(check.status, 0) << check.output;
}

TEST(Deploy, dashboard_check_names_what_is_missing) {
    const test::TemporaryDirectory directory;
    const CommandResult check = test::run(
        "printf '%s' '{\"panels\":[{\"panels\":[{\"targets\":[{\"expr\":"
        "\"rate(tollgate_a_seconds_bucket[5m]) + tollgate_b_total + tollgate_c_count + process_d + "
        "tollgate_a_seconds\"}]}]}]}' > " +
            directory.path("d.json") + " && " + kSource + "/tests/dashboard_metrics " + directory.path("d.json"),
        "# HELP tollgate_a_seconds h\n# TYPE tollgate_a_seconds histogram\ntollgate_a_seconds_count 0\n"
        "tollgate_a_seconds_sum 0\ntollgate_a_seconds_bucket{le=\"+Inf\"} 0\n"
        "# TYPE tollgate_b_total counter\ntollgate_b_total{x=\"tollgate_c_count 1\"} 1\n");
    EXPECT_EQ(check.status, 1) << check.output;
    EXPECT_EQ(check.output, directory.path("d.json") + ": process_d\n" + directory.path("d.json") +
                                ": tollgate_a_seconds\n" + directory.path("d.json") + ": tollgate_c_count\n");
}

} // namespace
} // namespace tollgate::metrics
