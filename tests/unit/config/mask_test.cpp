#include "config/mask.hpp"

#include "fixture.hpp"

#include <gtest/gtest.h>

namespace tollgate::config::test {
namespace {

constexpr std::string_view kSecret = "hunter2";

// Each text holds the secret and at least one mistake on the same line or next to it.
const std::vector<std::string>& leaky() {
    static const std::vector<std::string> texts = {
        "keys: [ { id: \"a b\", secret: hunter2, zzz: 1 } ]\n",
        "keys:\n  - secret: hunter2\n    zzz: 1\n",
        "keys:\n  - { secrt: hunter2 }\n",
        "keys:\n  - { Secret: hunter2 }\n",
        "keys:\n  - { password: hunter2, token: hunter2 }\n",
        "keys: [ { secret: [ hunter2 ] } ]\n",
        "keys: [ { secret: { a: hunter2 } } ]\n",
        "keys: [ { secret: a, secret: hunter2 } ]\n",
        "keys: [ { <<: { secret: hunter2 }, secret: b } ]\n",
        "keys: [ { secret: \"hunter2 with spaces\" } ]\n",
        "keys:\n  - secret: \"first\n      hunter2\"\n    zzz: 1\n",
        "keys:\n  - secret: first\n      hunter2\n    zzz: 1\n",
        "keys:\n  - secret: |\n      hunter2\n    zzz: 1\n",
        "keys:\n  - secret: &a hunter2\n    zzz: 1\n",
        "providers:\n  p:\n    api_keys:\n      - hunter2\n      - \"\"\n      - [ hunter2 ]\n",
        "providers: { p: { api_keys: hunter2 } }\n",
        "providers: { p: { api_key: hunter2 } }\n",
        "providers: { p: { base_url: \"https://u:hunter2@h\", api_keys: [ 1 ] } }\n",
        "redis: { url: \"redis://u:hunter2@h:x\", timeout: 5 }\n",
        "redis: { url: redis://u:hunter2@h, zzz: 1 }\n",
        "secrets: { master: hunter2, zzz: 1 }\n",
        "secrets: { master: \"${env:NOPE} hunter2\" }\n",
        "secrets: hunter2\n",
        // Not YAML at all.
        "secrets: { master: hunter2\n",
        "keys:\n  - secret: hunter2\n   - x\n",
        "providers:\n  p:\n    api_keys: [ a,\n      hunter2\n   zzz: ]\n",
        "providers:\n  p:\n    api_keys:\n      - hunter2\n\t- x\n",
        "keys:\n  - secret: \"hunter2\n",
    };
    return texts;
}

TEST(Mask, secrets_never_appear_in_a_report) {
    for (const std::string& text : leaky()) {
        const Loaded loaded = load(text);
        ASSERT_FALSE(loaded.diagnostics.empty()) << text;
        const std::string out = render(loaded, text, "f");
        EXPECT_EQ(out.find(kSecret), std::string::npos) << text << '\n' << out;
        EXPECT_EQ(listing(loaded).find(kSecret), std::string::npos) << listing(loaded);
    }
}

// The diagnostic may point anywhere, so every line is looked at, not only those with a mistake.
TEST(Mask, no_line_shows_a_secret) {
    for (const std::string& text : leaky()) {
        const Mask mask(text);
        const Lines lines(text);
        for (int line = 1; line <= lines.count(); ++line) {
            EXPECT_EQ(mask.visible(line).find(kSecret), std::string_view::npos) << text << '\n' << mask.visible(line);
        }
    }
}

TEST(Mask, credentials_are_hidden_wherever_they_stand) {
    for (const char* text :
         {"models: { sk-proj-abcdefgh12345: {} }\n", "foo: AKIAIOSFODNN7EXAMPLE\n",
          "keys: { tg_abcd1234_zzzzzzzzzzzz: {} }\n", "listen: { api: a8f5f167f44f4964e6c998dee827110c }\n"}) {
        const std::string out = render(load(text), text, "f");
        for (const char* piece : {"abcdefgh12345", "FODNN7", "tg_abcd1234", "a8f5f167"}) {
            EXPECT_EQ(out.find(piece), std::string::npos) << out;
        }
    }
}

TEST(Mask, values_of_variables_are_not_shown) {
    const std::string text = std::string(kBase) + "cache: { scope: \"${env:SPACED}\", ttl: \"${env:SPACED}\" }\n"
                                                  "listen: { api: \"${env:SPACED}\", workers: \"${env:SPACED}\" }\n";
    const Loaded loaded = load(text);
    EXPECT_EQ(loaded.diagnostics.size(), 4U) << listing(loaded);
    const std::string out = render(loaded, text, "f");
    EXPECT_EQ(out.find("has a space"), std::string::npos) << out;
}

TEST(Mask, references_and_ordinary_lines_stay_visible) {
    const std::string text = "providers:\n"
                             "  p: { base_url: \"https://a.example\", api_keys: [ \"${env:NOPE}\" ] }\n"
                             "  q: { ca_file: /etc/ssl/certs/ca.pem }\n";
    const Mask mask(text);
    const Lines lines(text);
    for (int line = 1; line <= 3; ++line) EXPECT_EQ(mask.visible(line), lines[line]);
}

} // namespace
} // namespace tollgate::config::test
