#include "fixture.hpp"

#include "config/node.hpp"

#include <cstdlib>
#include <gtest/gtest.h>
#include <random>

namespace tollgate::config::test {
namespace {

// Any outcome is fine as long as it is one: a config, or errors that render.
void survives(std::string_view text) {
    const Loaded loaded = load(text);
    bool failed = false;
    for (const Diagnostic& d : loaded.diagnostics) failed = failed || d.severity == Severity::error;
    ASSERT_EQ(loaded.config.has_value(), !failed) << text << listing(loaded);
    const std::string out = render(loaded, text, "f");
    ASSERT_FALSE(out.empty()) << text;
}

TEST(Robustness, every_prefix_of_the_example_ends_in_a_config_or_in_errors) {
    const std::string example = source_file("config/tollgate.example.yaml");
    ASSERT_GT(example.size(), 1'000U);
    for (std::size_t size = 0; size <= example.size(); ++size) survives(std::string_view(example).substr(0, size));
}

TEST(Robustness, damaged_examples_end_in_a_config_or_in_errors) {
    const std::string example = source_file("config/tollgate.example.yaml");
    constexpr std::string_view kOctets = "\t\n\r\x04\x80\xFF\"'[]{}:,&*!|>%@`#-? ~<$";
    std::mt19937 random(20'240'607);
    for (int round = 0; round < 1'500; ++round) {
        std::string text = example;
        for (int change = 0; change < 3; ++change) {
            const std::size_t at = random() % text.size();
            const std::size_t pick = random() % (kOctets.size() + 1);
            const char octet = pick < kOctets.size() ? kOctets[pick] : '\0';
            if (random() % 2 == 0) {
                text[at] = octet;
            } else {
                text.insert(at, 1, octet);
            }
        }
        survives(text);
    }
}

TEST(Robustness, alias_bomb_is_refused_without_expanding_it) {
    std::string text = "a0: &a0 [ x, x, x, x, x, x, x, x, x, x ]\n";
    for (int i = 1; i < 20; ++i) {
        const std::string below = "*a" + std::to_string(i - 1);
        text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [ ";
        for (int j = 0; j < 10; ++j) text += below + (j < 9 ? ", " : " ]\n");
    }
    const Loaded loaded = load(text);
    ASSERT_EQ(loaded.diagnostics.size(), 1U) << listing(loaded);
    EXPECT_EQ(loaded.diagnostics[0].code, "E0007");
    EXPECT_EQ(loaded.diagnostics[0].mark.line, 6);
}

TEST(Robustness, merge_bomb_is_refused) {
    std::string text = "a0: &a0 { k0: 1 }\n";
    for (int i = 1; i < 40; ++i) {
        const std::string n = std::to_string(i);
        const std::string below = "*a" + std::to_string(i - 1);
        text += "a" + n + ": &a" + n + " { <<: [ " + below + ", " + below + " ], k" + n + ": " + below + " }\n";
    }
    const Loaded loaded = load(text);
    ASSERT_EQ(loaded.diagnostics.size(), 1U) << listing(loaded);
    const std::string& code = loaded.diagnostics[0].code;
    EXPECT_TRUE(code == "E0006" || code == "E0007") << listing(loaded);
}

TEST(Robustness, deep_nesting_is_refused_before_the_stack_is_used_up) {
    for (const char* open : {"[", "{a: ", "- ", "? "}) {
        std::string text;
        for (int i = 0; i < 20'000; ++i) text += open;
        const Loaded loaded = load(text);
        ASSERT_EQ(loaded.diagnostics.size(), 1U) << open << listing(loaded);
        EXPECT_EQ(loaded.diagnostics[0].severity, Severity::error);
    }
}

TEST(Robustness, alias_below_the_depth_limit_counts_its_own_depth) {
    const std::string half = std::string(20, '[') + std::string(20, ']');
    const Loaded loaded = load("a: &a " + half + "\nb: " + std::string(20, '[') + "*a" + std::string(20, ']') + "\n");
    ASSERT_EQ(loaded.diagnostics.size(), 1U) << listing(loaded);
    EXPECT_EQ(loaded.diagnostics[0].code, "E0006");
}

TEST(LoadFile, reads_and_remembers_its_name) {
    const TemporaryFile file(kBase);
    const Loaded loaded = load_file(file.name(), environment());
    ASSERT_TRUE(loaded.config) << listing(loaded);
    EXPECT_EQ(loaded.config->file, file.name());
}

TEST(LoadFile, missing_file_and_directory_are_one_diagnostic) {
    for (const char* path : {"/nope/tollgate.yaml", "/", ""}) {
        const Loaded loaded = load_file(path, environment());
        EXPECT_FALSE(loaded.config);
        ASSERT_EQ(loaded.diagnostics.size(), 1U) << path << listing(loaded);
        EXPECT_EQ(loaded.diagnostics[0].code, "E0001");
        EXPECT_EQ(loaded.diagnostics[0].mark.line, 0);
    }
}

TEST(LoadFile, more_than_the_cap_is_refused) {
    const std::string large(kLargestFile + 1, '#');
    const Loaded text = load(large);
    ASSERT_EQ(text.diagnostics.size(), 1U) << listing(text);
    EXPECT_EQ(text.diagnostics[0].code, "E0002");
    const TemporaryFile file(large);
    const Loaded loaded = load_file(file.name(), environment());
    ASSERT_EQ(loaded.diagnostics.size(), 1U) << listing(loaded);
    EXPECT_EQ(loaded.diagnostics[0].code, "E0002");
}

TEST(ProcessEnvironment, looks_up_what_is_set) {
    ASSERT_EQ(::setenv("TOLLGATE_CONFIG_TEST", "value", 1), 0);
    EXPECT_EQ(process_environment()("TOLLGATE_CONFIG_TEST"), "value");
    ASSERT_EQ(::unsetenv("TOLLGATE_CONFIG_TEST"), 0);
    EXPECT_EQ(process_environment()("TOLLGATE_CONFIG_TEST"), std::nullopt);
}

} // namespace
} // namespace tollgate::config::test
