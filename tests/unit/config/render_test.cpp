#include "fixture.hpp"

#include "bad_configs.hpp"

#include <gtest/gtest.h>

namespace tollgate::config::test {
namespace {

std::string rendered(std::string_view text) {
    return render(load(text), text, "tollgate.yaml");
}

TEST(Render, report_is_exactly_this) {
    const std::string text = std::string(kBase) +
                             "cahce: { ttl: 1h }\n"
                             "teams:\n"
                             "  search: { limits: { rpm: 10 } }\n"
                             "keys:\n"
                             "  - { id: k_demo, team: serch, secret: abc-def-ghi }\n"
                             "  - { id: k_two, team: search, sha256: 0123, limits: { rpm: 11 } }\n";
    EXPECT_EQ(rendered(text), R"(error[E0113]: unknown key `cahce` at the top level
 --> tollgate.yaml:6:1
  |
6 | cahce: { ttl: 1h }
  | ^^^^^ did you mean `cache`?
  = help: allowed keys: version, listen, store, redis, secrets, providers, models, orgs, teams, keys, prices, tokenizers, alerts, cache, flights, body, overload, drain, access_log

error[E0208]: team `serch` is not defined
  --> tollgate.yaml:10:25
   |
10 |   - { id: k_demo, team: serch, secret: …
   |                         ^^^^^ did you mean `search`?
   = help: defined teams: default, search

error[E0101]: `keys[1].sha256`: got a number, want 64 hexadecimal digits
  --> tollgate.yaml:11:40
   |
11 |   - { id: k_two, team: search, sha256: …
   |                                        ^ got a number
   = help: put it in quotes

warning[W0301]: `keys[1].limits.rpm` is 11, above the 10 of team `search`
  --> tollgate.yaml:11:61
   |
11 |   - { id: k_two, team: search, sha256: …
   |                                        ^
   = help: the smaller limit decides, so this one is never reached

3 errors, 1 warning in tollgate.yaml
)");
}

TEST(Render, nothing_wrong_says_so) {
    EXPECT_EQ(rendered(kBase), "no problems in tollgate.yaml\n");
}

TEST(Render, unreadable_file_has_no_excerpt) {
    const Loaded loaded = load_file("/nope/tollgate.yaml", environment());
    EXPECT_EQ(render(loaded, "", "/nope/tollgate.yaml"),
              "error[E0001]: cannot read /nope/tollgate.yaml: No such file or directory\n"
              "  --> /nope/tollgate.yaml\n"
              "   = help: name the config with -c FILE\n"
              "\n"
              "1 error in /nope/tollgate.yaml\n");
}

TEST(Render, underline_stands_below_its_text_after_wide_octets) {
    const std::string out = rendered(std::string(kBase) + "teams: { t: { contact: \"Zoë, Jörg\", org: nowhere } }\n");
    EXPECT_NE(out.find("6 | teams: { t: { contact: \"Zoë, Jörg\", org: nowhere } }\n"
                       "  |                                          ^^^^^^^\n"),
              std::string::npos)
        << out;
}

TEST(Render, long_line_is_cut_around_the_mistake) {
    const std::string text = std::string(kBase) + "teams: { t: { contact: \"" + std::string(200, 'x') +
                             "\", org: zz, models: [ " + std::string(100, 'm') + " ] } }\n";
    const std::string out = rendered(text);
    const std::size_t excerpt = out.find("6 | …");
    ASSERT_NE(excerpt, std::string::npos) << out;
    EXPECT_LT(out.find('\n', excerpt) - excerpt, 140U) << out;
    EXPECT_NE(out.find("org: zz"), std::string::npos) << out;
}

TEST(Render, control_characters_never_reach_the_terminal) {
    for (const char* text : {"x: \"\\x1b[31m\"\n", "\"\\x1b[31m\": 1\n", "version: 1\nstore: \x1b[31m\n"}) {
        const std::string out = rendered(text);
        EXPECT_EQ(out.find('\x1b'), std::string::npos) << out;
    }
}

TEST(Render, every_bad_config_renders_with_its_place) {
    for (const BadConfig& bad : bad_configs()) {
        const std::string out = rendered(bad.text);
        const std::string place = "tollgate.yaml:" + std::to_string(bad.line) + ":" + std::to_string(bad.column) + "\n";
        EXPECT_NE(out.find(place), std::string::npos) << bad.name << '\n' << out;
        EXPECT_NE(out.find("[" + std::string(bad.code) + "]"), std::string::npos) << bad.name << '\n' << out;
    }
}

} // namespace
} // namespace tollgate::config::test
