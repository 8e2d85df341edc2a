#include "policy/directory.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace tollgate::policy {
namespace {

using namespace std::chrono_literals;
using std::chrono::sys_seconds;

constexpr quota::Moment kMoment{TimePoint(1'000s), WallTime(1'000'000s)};
constexpr sys_seconds kNow{1'800'000'000s};
constexpr std::array<std::uint8_t, 32> kPepper{1, 2, 3};

config::Key key_of(const std::string& id, const std::string& secret) {
    config::Key key;
    key.id = id;
    key.secret = Secret(secret);
    key.team = "search";
    return key;
}

config::Config config_of(std::vector<config::Key> keys) {
    config::Config config;
    config.file = "gw.yaml";
    config.teams["search"] = {.name = "search",
                              .org = "acme",
                              .models = {"gpt-*"},
                              .limits = {.rpm = config::Limit{.amount = 600}},
                              .contact = "#search",
                              .cache = {},
                              .mark = {}};
    config.orgs["acme"] = {.name = "acme", .limits = {.rpm = config::Limit{.amount = 6'000}}, .mark = {}};
    config.keys = std::move(keys);
    return config;
}

Directory directory_of(const config::Config& config, const std::vector<StoredKey>& stored = {}) {
    static quota::Engine engine;
    return {config, stored, engine, kPepper, kMoment};
}

std::int64_t rpm_of(const Principal& principal, std::size_t scope) {
    const std::span<const quota::ScopeHandle> one(&principal.scopes.at(scope), 1);
    return quota::Engine::peek(one, quota::Ask::request_only(), kMoment).tightest[0]->limit;
}

std::string refusal_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return "nothing was thrown";
}

std::string refusal_of(const config::Config& config, const std::vector<StoredKey>& stored = {}) {
    return refusal_of([&] { (void)directory_of(config, stored); });
}

Error error_of(const Directory& directory, std::string_view presented, sys_seconds now = kNow) {
    const auto result = directory.authenticate(presented, now);
    EXPECT_FALSE(result.has_value()) << presented;
    return result ? Error{} : result.error();
}

std::string key_of_principal(const Directory& directory, std::string_view presented, sys_seconds now = kNow) {
    const auto result = directory.authenticate(presented, now);
    return result ? (*result)->key_id : "refused: " + result.error().message;
}

TEST(Directory, secret_hash_and_stored_keys_authenticate) {
    const GeneratedKey generated = generate_key();
    config::Key hashed = key_of("k_hash", "");
    hashed.secret = Secret();
    hashed.sha256 = sha256_hex("sk-carried-over");
    const Directory directory =
        directory_of(config_of({key_of("k_plain", "any!opaque~string"), hashed}),
                     {{.id = generated.id, .team = "", .sha256 = sha256_hex(generated.secret)}});
    EXPECT_EQ(key_of_principal(directory, "any!opaque~string"), "k_plain");
    EXPECT_EQ(key_of_principal(directory, "sk-carried-over"), "k_hash");
    EXPECT_EQ(key_of_principal(directory, generated.secret), generated.id);
}

TEST(Directory, principal_carries_what_key_team_and_org_say) {
    config::Key key = key_of("k_demo", "secret-1");
    key.alias = "demo";
    key.models = {"gpt-4o"};
    key.routes = {"files"};
    key.limits.rpm = config::Limit{.amount = 60};
    key.cache.enabled = true;
    const Directory directory = directory_of(config_of({key, key_of("k_two", "secret-2")}));
    ASSERT_EQ(directory.principals().size(), 2U);
    const Principal& principal = directory.principals()[0];
    EXPECT_EQ(principal.key_alias, "demo");
    EXPECT_EQ(principal.team, "search");
    EXPECT_EQ(principal.org, "acme");
    EXPECT_EQ(principal.contact, "#search");
    EXPECT_EQ(principal.key_models, std::vector<std::string>{"gpt-4o"});
    EXPECT_EQ(principal.team_models, std::vector<std::string>{"gpt-*"});
    EXPECT_EQ(principal.routes, std::vector<std::string>{"files"});
    EXPECT_EQ(principal.key_cache.enabled, true);
    EXPECT_EQ(rpm_of(principal, 0), 60);
    EXPECT_EQ(rpm_of(principal, 1), 600);
    EXPECT_EQ(rpm_of(principal, 2), 6'000);
    const Principal& second = directory.principals()[1];
    EXPECT_EQ(second.index, 1U);
    ASSERT_EQ(second.scopes.size(), 2U) << "it has no limit of its own";
    EXPECT_EQ(second.scopes[0], principal.scopes[1]) << "one scope per team";
}

TEST(Directory, missing_team_and_org_entries_mean_the_defaults) {
    config::Key nameless = key_of("k_a", "secret-a");
    nameless.team.clear();
    config::Key other = key_of("k_b", "secret-b");
    other.team = "unlisted";
    config::Config config;
    config.keys = {nameless, other};
    const Directory directory = directory_of(config);
    for (const Principal& principal : directory.principals()) {
        EXPECT_EQ(principal.org, "default");
        EXPECT_EQ(principal.team, principal.index == 0 ? "default" : "unlisted");
        EXPECT_TRUE(principal.team_models.empty());
        EXPECT_TRUE(principal.scopes.empty()) << principal.key_id;
    }
}

TEST(Directory, no_key_is_told_how_to_send_one_and_has_no_code) {
    const Error error = error_of(directory_of(config_of({})), "");
    EXPECT_EQ(error.status, 401);
    EXPECT_EQ(error.type, ErrorType::caller_unauthenticated);
    EXPECT_EQ(error.openai_type, "invalid_request_error");
    EXPECT_EQ(error.code, "");
    EXPECT_EQ(error.retry, Retry::never);
    EXPECT_NE(error.message.find("Authorization: Bearer"), std::string::npos) << error.message;
}

TEST(Directory, unknown_disabled_and_expired_keys_get_the_same_answer) {
    config::Key disabled = key_of("k_off", "opaque-disabled");
    disabled.disabled = true;
    config::Key expired = key_of("k_old", "opaque-expired!");
    expired.expires = kNow;
    const Directory directory = directory_of(config_of({disabled, expired}));
    const Error unknown = error_of(directory, "opaque-unknown!");
    for (const std::string_view presented : {"opaque-disabled", "opaque-expired!"}) {
        const Error error = error_of(directory, presented);
        EXPECT_EQ(error.message, unknown.message);
        EXPECT_EQ(error.details, unknown.details);
        EXPECT_EQ(error.code, unknown.code);
        EXPECT_EQ(error.status, unknown.status);
        EXPECT_EQ(error.retry, unknown.retry);
    }
    EXPECT_EQ(unknown.code, "invalid_api_key");
    EXPECT_EQ(unknown.status, 401);
    EXPECT_EQ(unknown.retry, Retry::never);
    EXPECT_EQ(unknown.message.find("opaque"), std::string::npos) << unknown.message;
}

TEST(Directory, key_is_valid_until_the_second_before_it_expires) {
    config::Key key = key_of("k_old", "expiring-secret");
    key.expires = kNow;
    const Directory directory = directory_of(config_of({key}));
    EXPECT_EQ(key_of_principal(directory, "expiring-secret", kNow - 1s), "k_old");
    EXPECT_FALSE(directory.authenticate("expiring-secret", kNow).has_value());
}

TEST(Directory, unreadable_text_is_refused_even_if_it_is_in_no_way_a_key) {
    const Directory directory = directory_of(config_of({key_of("k_a", "secret-a")}));
    const std::string cases[] = {std::string(257, 'x'),  std::string(1 << 20, 'x'), "with space", "tab\t", "\xC3\xA9",
                                 std::string("nul\0", 4)};
    const std::string expected = error_of(directory, std::string(257, 'x')).message;
    for (const std::string& presented : cases) {
        const Error error = error_of(directory, presented);
        EXPECT_EQ(error.message, expected);
        EXPECT_EQ(error.code, "invalid_api_key");
    }
    EXPECT_NE(expected.find("256"), std::string::npos) << expected;
    EXPECT_EQ(key_of_principal(directory, std::string("secret-a")), "k_a");
}

TEST(Directory, typo_is_named_and_shows_only_the_public_id) {
    std::string mistyped = generate_key().secret;
    mistyped.back() = mistyped.back() == 'x' ? 'y' : 'x';
    const Error error = error_of(directory_of(config_of({})), mistyped);
    EXPECT_NE(error.message.find("typo"), std::string::npos) << error.message;
    EXPECT_NE(error.message.find('"' + mistyped.substr(0, 11) + "_…\""), std::string::npos) << error.message;
    EXPECT_EQ(error.message.find(mistyped.substr(12, 4)), std::string::npos) << error.message;
    EXPECT_EQ(error.code, "invalid_api_key");
}

TEST(Directory, unknown_generated_key_shows_only_the_public_id) {
    const std::string secret = generate_key().secret;
    const Error error = error_of(directory_of(config_of({})), secret);
    EXPECT_NE(error.message.find('"' + secret.substr(0, 11) + "_…\""), std::string::npos) << error.message;
    EXPECT_EQ(error.message.find(secret.substr(12, 4)), std::string::npos) << error.message;
}

TEST(Directory, provider_keys_are_recognised_and_not_echoed) {
    const Directory directory = directory_of(config_of({}));
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"sk-proj-Zz9Zz9Zz9", "an OpenAI key (sk-…)"},
        {"sk-ant-api03-Zz9Zz9", "an Anthropic key (sk-ant-…)"},
        {"AIzaZz9Zz9Zz9", "a Google key (AIza…)"},
    };
    for (const auto& [presented, hint] : cases) {
        const std::string message = error_of(directory, presented).message;
        EXPECT_NE(message.find(hint), std::string::npos) << message;
        EXPECT_EQ(message.find("Zz9"), std::string::npos) << message;
    }
}

TEST(Directory, another_pepper_or_directory_on_the_same_thread_does_not_confuse_the_hasher) {
    quota::Engine engine;
    const Directory first = directory_of(config_of({key_of("k_a", "secret-a")}));
    const Directory second(config_of({key_of("k_b", "secret-b")}), {}, engine, {9, 9}, kMoment);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(key_of_principal(first, "secret-a"), "k_a");
        EXPECT_EQ(key_of_principal(second, "secret-b"), "k_b");
        EXPECT_FALSE(second.authenticate("secret-a", kNow).has_value());
    }
}

TEST(Directory, threads_authenticate_at_the_same_time) {
    const Directory directory = directory_of(config_of({key_of("k_a", "secret-a"), key_of("k_b", "secret-b")}));
    std::array<int, 4> right{};
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < right.size(); ++i) {
            threads.emplace_back([&, i] {
                for (int n = 0; n < 500; ++n) {
                    right[i] += key_of_principal(directory, "secret-a") == "k_a";
                    right[i] += !directory.authenticate("secret-c", kNow).has_value();
                }
            });
        }
    }
    for (const int count : right) EXPECT_EQ(count, 1'000);
}

TEST(Directory, duplicate_ids_name_both_places) {
    config::Key first = key_of("k_a", "secret-a");
    first.mark.line = 12;
    const config::Config config = config_of({first});
    EXPECT_EQ(refusal_of(config, {{.id = "k_a", .team = "", .sha256 = sha256_hex("other")}}),
              "key id \"k_a\" is used twice: in gw.yaml:12 and in the store");
}

TEST(Directory, duplicate_secrets_name_both_keys) {
    EXPECT_EQ(refusal_of(config_of({key_of("k_a", "same-secret"), key_of("k_b", "same-secret")})),
              "keys \"k_a\" (gw.yaml) and \"k_b\" (gw.yaml) have the same secret");
    EXPECT_EQ(refusal_of(config_of({key_of("k_a", "same-secret")}),
                         {{.id = "k_s", .team = "", .sha256 = sha256_hex("same-secret")}}),
              "keys \"k_a\" (gw.yaml) and \"k_s\" (the store) have the same secret");
}

TEST(Directory, unusable_secrets_are_refused_without_showing_them) {
    config::Key both = key_of("k_x", "secret");
    both.sha256 = sha256_hex("secret");
    config::Key bad_hash = key_of("k_x", "");
    bad_hash.sha256 = "abc";
    std::string mistyped = generate_key().secret;
    mistyped.back() = mistyped.back() == 'x' ? 'y' : 'x';
    const std::pair<config::Key, std::string_view> cases[] = {
        {key_of("k_x", ""), "the secret is empty"},
        {key_of("k_x", "has a space"), "no client could send this secret"},
        {key_of("k_x", std::string(257, 'z')), "no client could send this secret"},
        {key_of("k_x", mistyped), "its checksum does not match"},
        {both, "both secret and sha256"},
        {bad_hash, "sha256 is not 64 hexadecimal digits"},
    };
    for (const auto& [key, text] : cases) {
        const std::string refusal = refusal_of(config_of({key}));
        EXPECT_NE(refusal.find(text), std::string::npos) << refusal;
        EXPECT_NE(refusal.find("\"k_x\" (gw.yaml)"), std::string::npos) << refusal;
        EXPECT_EQ(refusal.find(mistyped.substr(12)), std::string::npos) << refusal;
    }
    EXPECT_NE(refusal_of(config_of({key_of("", "secret")})).find("has no id"), std::string::npos);
}

// A deleted team may have been what limited the key: falling back to "no limits" would open it.
TEST(Directory, stored_key_of_a_deleted_team_is_refused) {
    EXPECT_EQ(refusal_of(config_of({}), {{.id = "k_s", .team = "gone", .sha256 = sha256_hex("x")}}),
              "key \"k_s\" (the store) belongs to team \"gone\", which the configuration no longer has");
}

TEST(Directory, failed_construction_leaves_the_limits_alone) {
    quota::Engine engine;
    config::Key key = key_of("k_a", "secret-a");
    key.limits.rpm = config::Limit{.amount = 60};
    const Directory good(config_of({key}), {}, engine, kPepper, kMoment);
    key.limits.rpm = config::Limit{.amount = 5};
    const config::Config bad = config_of({key, key_of("k_b", "secret-a")});
    EXPECT_THROW(Directory(bad, {}, engine, kPepper, kMoment), std::invalid_argument);
    key.limits.rpm = config::Limit{.amount = 0};
    EXPECT_NE(refusal_of([&] { (void)Directory(config_of({key}), {}, engine, kPepper, kMoment); }).find("at least 1"),
              std::string::npos);
    EXPECT_EQ(quota::Engine::peek(good.principals()[0].scopes, quota::Ask::request_only(), kMoment).tightest[0]->limit,
              60);
}

TEST(Directory, reload_keeps_usage_and_applies_new_limits) {
    quota::Engine engine;
    config::Key key = key_of("k_a", "secret-a");
    key.limits.rpm = config::Limit{.amount = 60};
    const Directory before(config_of({key}), {}, engine, kPepper, kMoment);
    ASSERT_TRUE(
        quota::Engine::admit({.id = quota::ReservationId("r"), .scopes = before.principals()[0].scopes, .now = kMoment})
            .reply.admitted);
    key.limits.rpm = config::Limit{.amount = 30};
    const Directory after(config_of({key}), {}, engine, kPepper, kMoment);
    const auto left =
        quota::Engine::peek(after.principals()[0].scopes, quota::Ask::request_only(), kMoment).tightest[0];
    EXPECT_EQ(quota::view_of(*left, kMoment.wall).remaining, 29);
}

} // namespace
} // namespace tollgate::policy
