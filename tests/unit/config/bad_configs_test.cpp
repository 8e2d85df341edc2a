#include "bad_configs.hpp"

#include "config/diagnostics.hpp"
#include "fixture.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <set>

namespace tollgate::config::test {
namespace {

class BadConfigs : public testing::TestWithParam<BadConfig> {};

TEST_P(BadConfigs, are_reported_once_at_their_place) {
    const BadConfig& bad = GetParam();
    const Loaded loaded = load(bad.text);
    const bool warning = bad.code.starts_with('W');
    EXPECT_EQ(loaded.config.has_value(), warning) << bad.text << listing(loaded);
    ASSERT_EQ(loaded.diagnostics.size(), 1U) << bad.text << listing(loaded);
    const Diagnostic& got = loaded.diagnostics.front();
    EXPECT_EQ(got.code, bad.code) << listing(loaded);
    EXPECT_EQ(got.severity, warning ? Severity::warning : Severity::error) << listing(loaded);
    EXPECT_EQ(got.mark.line, bad.line) << listing(loaded);
    EXPECT_EQ(got.mark.column, bad.column) << listing(loaded);
    const std::string said = got.message + " | " + got.label + " | " + got.help;
    EXPECT_NE(said.find(bad.piece), std::string::npos) << "wanted: " << bad.piece << "\ngot: " << said;
}

INSTANTIATE_TEST_SUITE_P(Table, BadConfigs, testing::ValuesIn(bad_configs().begin(), bad_configs().end()),
                         [](const testing::TestParamInfo<BadConfig>& info) { return std::string(info.param.name); });

TEST(BadConfigs, table_holds_every_code) {
    std::set<std::string_view> held;
    for (const BadConfig& bad : bad_configs()) held.insert(bad.code);
    // Tested where files are: robustness_test.cpp.
    held.insert({"E0001", "E0002", "E0007"});
    for (const CodeInfo& code : all_codes()) EXPECT_TRUE(held.contains(code.text)) << code.text << ' ' << code.meaning;
    EXPECT_GE(bad_configs().size(), 60U);
}

TEST(BadConfigs, codes_and_meanings_are_unique) {
    std::set<std::string_view> texts;
    for (const CodeInfo& code : all_codes()) {
        EXPECT_TRUE(texts.insert(code.text).second) << code.text;
        EXPECT_TRUE(code.meaning.ends_with('.')) << code.text;
    }
}

TEST(BadConfigs, many_mistakes_are_all_reported_in_order_of_place) {
    const Loaded loaded = load("version: 3\n"
                               "listen: { api: \":8080\", workers: 0 }\n"
                               "providers:\n"
                               "  p: { base_url: \"ftp://x\", api_keys: [] }\n"
                               "models:\n"
                               "  m: { upstreams: [ { provider: q, weigth: 2 } ], fallbacks: [ x ] }\n"
                               "cache: { ttl: 5 }\n");
    std::vector<std::string> codes;
    for (const Diagnostic& d : loaded.diagnostics) codes.push_back(d.code);
    const std::vector<std::string> want = {"E0107", "E0109", "E0107", "E0214", "E0117",
                                           "E0207", "E0113", "E0114", "E0105"};
    EXPECT_EQ(codes, want) << listing(loaded);
    EXPECT_FALSE(loaded.config.has_value());
}

TEST(BadConfigs, misspelt_required_key_is_one_mistake) {
    const Loaded loaded = load("version: 1\n"
                               "provider:\n"
                               "  p: { base_url: \"https://api.example.com\", api_keys: [ \"none\" ] }\n"
                               "models: { m: { upstream: [ { provider: p } ] } }\n");
    ASSERT_EQ(loaded.diagnostics.size(), 2U) << listing(loaded);
    EXPECT_EQ(loaded.diagnostics[0].label, "did you mean `providers`?");
    EXPECT_EQ(loaded.diagnostics[1].label, "did you mean `upstreams`?");
}

} // namespace
} // namespace tollgate::config::test
