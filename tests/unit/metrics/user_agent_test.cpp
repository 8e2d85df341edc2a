#include "metrics/user_agent.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tollgate::metrics {
namespace {

TEST(UserAgent, known_products_give_family_and_version) {
    struct Case {
        std::string raw, family, version;
    };
    const std::vector<Case> cases{
        {"OpenAI/Python 1.99.1", "openai-python", "1.99.1"},
        {"AsyncOpenAI/Python 2.0.0rc1", "openai-python", "2.0.0rc1"},
        {"OpenAI/v1 PythonBindings/0.28.1", "openai-python", "0.28.1"},
        {"OpenAI/JS 7.57.0", "openai-node", "7.57.0"},
        {"Anthropic/Python 0.40.0", "anthropic-python", "0.40.0"},
        {"AsyncAnthropic/Python 0.40.0", "anthropic-python", "0.40.0"},
        {"Anthropic/JS 0.60.0", "anthropic-ts", "0.60.0"},
        {"claude-cli/1.0.83 (external, cli)", "claude-code", "1.0.83"},
        {"codex_cli_rs/0.21.0 (Debian 12; x86_64) xterm", "codex", "0.21.0"},
        {"langchain/0.3.1", "langchain", "0.3.1"},
        {"curl/7.88.1", "curl", "7.88.1"},
        {"CURL/8.0", "curl", "8.0"},
        {"curl/", "curl", ""},
    };
    for (const Case& c : cases) {
        const UserAgent agent = parse_user_agent(c.raw);
        EXPECT_EQ(to_string(agent.family), c.family) << c.raw;
        EXPECT_EQ(agent.version, c.version) << c.raw;
    }
}

TEST(UserAgent, everything_else_is_other_without_a_version) {
    for (const std::string raw : {"", "curl", "xcurl/7.0", "Mozilla/5.0 curl/7.0", "OpenAI/", "\n", "\xFF\xFE"}) {
        const UserAgent agent = parse_user_agent(raw);
        EXPECT_EQ(to_string(agent.family), "other") << raw;
        EXPECT_EQ(agent.version, "") << raw;
    }
}

TEST(UserAgent, version_stops_at_the_first_foreign_octet_and_at_32) {
    EXPECT_EQ(parse_user_agent("curl/7.1\"\n\x1b[31m").version, "7.1");
    EXPECT_EQ(parse_user_agent("curl/" + std::string(100, '9')).version, std::string(32, '9'));
}

} // namespace
} // namespace tollgate::metrics
