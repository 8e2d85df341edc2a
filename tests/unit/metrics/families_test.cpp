#include "metrics/families.hpp"

#include "tests/unit/metrics/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace tollgate::metrics {
namespace {

std::string describe(const FamilyRow& row) {
    std::string line = std::string(row.name) + " " + std::string(to_string(row.type));
    for (std::size_t i = 0; i < row.label_count(); ++i) line += " " + std::string(row.label_names[i]);
    return line;
}

// A new family needs a new line in the file; an old line may never change.
TEST(Families, names_types_and_labels_match_the_golden_file) {
    std::string actual;
    for (const FamilyRow& row : all_families()) actual += describe(row) + "\n";
    EXPECT_EQ(actual, test::read_file(TOLLGATE_SOURCE_DIR "/tests/unit/metrics/families.golden"));
}

TEST(Families, bounds_ascend_and_only_histograms_have_them) {
    for (const FamilyRow& row : all_families()) {
        EXPECT_EQ(row.type == FamilyType::histogram, !row.bounds.empty()) << row.name;
        EXPECT_LE(row.bounds.size(), kMaxBounds) << row.name;
        EXPECT_TRUE(std::ranges::is_sorted(row.bounds, std::ranges::less_equal{})) << row.name;
        EXPECT_EQ(std::ranges::adjacent_find(row.bounds), row.bounds.end()) << row.name;
        const bool seconds = row.name.ends_with("_seconds") && row.type == FamilyType::histogram;
        const bool money = row.name.ends_with("_usd_total") || row.name.ends_with("request_cost_usd");
        EXPECT_EQ(seconds || money, row.divisor == 1'000'000'000) << row.name;
    }
}

TEST(Families, is_found_by_its_enumerator) {
    EXPECT_EQ(family_row(Family::requests_total).name, "tollgate_requests_total");
    EXPECT_EQ(family_row(Family::process_start_time_seconds).name, "process_start_time_seconds");
}

} // namespace
} // namespace tollgate::metrics
