#include "gateway/admin/decide.hpp"

#include "config/load.hpp"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include <array>
#include <chrono>

namespace tollgate::admin {
namespace {

constexpr std::string_view kFile = R"(version: 1
providers: { p: { base_url: "https://api.example.com/v1", api_keys: [ "none" ] } }
models: { m: { upstreams: [ { provider: p } ], limits: { tpm: 5k } } }
teams:
  red: { limits: { rpm: 600 }, budget: { usd: 10, per: month } }
keys:
  - { id: k_file, team: red, secret: "sk-of-the-file-0123456789" }
  - { id: k_off, team: red, secret: "sk-of-the-file-9876543210", disabled: true }
)";
constexpr std::chrono::sys_seconds kNow{std::chrono::seconds(1'790'000'000)};

State state() {
    auto loaded = config::load_text(kFile, "tollgate.yaml", [](const std::string&) { return std::nullopt; });
    return {*loaded.config, {}, {}};
}

const policy::GeneratedKey& fresh() {
    static const policy::GeneratedKey key{"k_fresh000", "tg_fresh000_secret"};
    return key;
}

Call call(std::string_view method, std::string_view path, std::string_view body = {}) {
    return {.route = find_route(method, path), .query = {}, .body = std::string(body), .actor = "cli", .address = {}};
}

std::expected<Write, Refusal> ask(const State& on, std::string_view method, std::string_view path,
                                  std::string_view body = {}) {
    return write(call(method, path, body), on, {kNow, fresh()});
}

json::value body_of(const Write& write) {
    return json::parse(write.answer.body);
}

State with_key(std::string_view body) {
    const auto made = ask(state(), "POST", "/admin/v1/keys", body);
    EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().problem.detail);
    return made->next;
}

TEST(Decide, a_new_key_has_its_settings_and_its_secret_is_shown_once) {
    const auto made = ask(state(), "POST", "/admin/v1/keys", R"({"team":"red","limits":{"rpm":60},"alias":"shop"})");
    ASSERT_TRUE(made.has_value()) << made.error().problem.detail;
    EXPECT_EQ(made->answer.status, 201);
    EXPECT_EQ(body_of(*made).at("secret"), "tg_fresh000_secret");
    const policy::StoredKey& key = *made->change.add_key;
    EXPECT_EQ(key.id, "k_fresh000");
    EXPECT_EQ(key.sha256, policy::sha256_hex("tg_fresh000_secret"));
    EXPECT_EQ(key.settings, R"({"alias":"shop","limits":{"rpm":60}})");
    EXPECT_EQ(key.entry.limits.rpm->amount, 60U);
    EXPECT_EQ(made->event.action, "key.create");
    EXPECT_EQ(made->event.diff.find("secret"), std::string::npos);
    EXPECT_EQ(made->event.diff.find(key.sha256), std::string::npos);
    const auto shown = read(call("GET", "/admin/v1/keys/k_fresh000"), made->next, {kNow, fresh()});
    ASSERT_TRUE(shown.has_value());
    EXPECT_EQ(shown->body.find("secret"), std::string::npos);
}

TEST(Decide, ids_and_secrets_are_used_once_over_file_and_store) {
    const State one = with_key(R"({"id":"k_mine"})");
    const std::string of_file = policy::sha256_hex("sk-of-the-file-0123456789");
    EXPECT_EQ(ask(one, "POST", "/admin/v1/keys", R"({"id":"k_mine"})").error().problem.status, 409);
    EXPECT_EQ(ask(one, "POST", "/admin/v1/keys", R"({"id":"k_other"})").error().problem.status, 409) << "same secret";
    const auto copied = ask(one, "POST", "/admin/v1/keys", R"({"id":"k_3","sha256":")" + of_file + "\"}");
    EXPECT_EQ(copied.error().problem.status, 409);
    EXPECT_NE(copied.error().problem.detail.find("k_file"), std::string::npos);
    const auto brought =
        ask(one, "POST", "/admin/v1/keys", R"({"id":"k_3","sha256":")" + policy::sha256_hex("own") + "\"}");
    ASSERT_TRUE(brought.has_value());
    EXPECT_FALSE(body_of(*brought).as_object().contains("secret"));
}

TEST(Decide, keys_of_the_file_are_only_switched_off_and_on_again) {
    for (const auto& [method, path, body] :
         {std::array<std::string_view, 3>{"PATCH", "/admin/v1/keys/k_file", R"({"alias":"x"})"},
          {"PATCH", "/admin/v1/keys/k_file", R"({"disabled":true,"alias":"x"})"},
          {"PATCH", "/admin/v1/keys/k_off", R"({"disabled":false})"},
          {"POST", "/admin/v1/keys/k_file/rotate", ""},
          {"DELETE", "/admin/v1/keys/k_file", ""},
          {"POST", "/admin/v1/keys", R"({"id":"k_file"})"}}) {
        const auto refused = ask(state(), method, path, body);
        ASSERT_FALSE(refused.has_value()) << path << body;
        EXPECT_EQ(refused.error().problem.status, 409);
        EXPECT_EQ(refused.error().problem.place, path.ends_with("k_off") ? "tollgate.yaml:8" : "tollgate.yaml:7");
        ASSERT_TRUE(refused.error().event.has_value());
        EXPECT_EQ(refused.error().event->outcome, "denied");
    }
    const auto off = ask(state(), "PATCH", "/admin/v1/keys/k_file", R"({"disabled":true})");
    ASSERT_TRUE(off.has_value());
    EXPECT_TRUE(effective(off->next)->config.keys[0].disabled);
    EXPECT_EQ(off->event.diff, R"([{"path":"/status","old":"active","new":"disabled"},)"
                               R"({"path":"/disabled","old":false,"new":true}])");
    const auto on = ask(off->next, "PATCH", "/admin/v1/keys/k_file", R"({"disabled":false})");
    ASSERT_TRUE(on.has_value());
    EXPECT_TRUE(on->next.overrides.empty());
}

TEST(Decide, patches_change_what_they_say) {
    const State one = with_key(R"({"limits":{"rpm":{"limit":60,"burst":90}},"models":["m"],"expires":"2030-01-01"})");
    const auto done = ask(one, "PATCH", "/admin/v1/keys/k_fresh000",
                          R"({"limits":{"rpm":{"raise":{"by":5,"until":"2029-01-01"}}},"models":null,"team":"red"})");
    ASSERT_TRUE(done.has_value()) << done.error().problem.detail;
    const policy::StoredKey& key = *done->change.edit_key;
    EXPECT_EQ(key.entry.limits.rpm->amount, 60U);
    EXPECT_EQ(key.entry.limits.rpm->burst, 90U);
    EXPECT_EQ(key.entry.limits.rpm->raise->by, 5U);
    EXPECT_TRUE(key.entry.models.empty());
    EXPECT_TRUE(key.entry.expires.has_value());
    EXPECT_EQ(key.team, "red");
    EXPECT_EQ(done->event.action, "key.update");
    for (const auto bad : {"{}", R"({"id":"k_new"})", R"({"sha256":"x"})", R"({"disabled":1})", R"({"team":"nobody"})",
                           R"({"spend":0})", R"({"limits":{"rpm":0}})"})
        EXPECT_EQ(ask(one, "PATCH", "/admin/v1/keys/k_fresh000", bad).error().problem.status, 400) << bad;
    EXPECT_EQ(ask(one, "PATCH", "/admin/v1/keys/k_none", R"({"alias":"x"})").error().problem.status, 404);
}

TEST(Decide, a_rotation_keeps_the_old_secret_for_its_grace_and_no_longer) {
    State one = with_key(R"({"id":"k_1"})");
    one.keys[0].sha256 = policy::sha256_hex("before");
    const auto graceful = ask(one, "POST", "/admin/v1/keys/k_1/rotate", R"({"grace":"2h"})");
    ASSERT_TRUE(graceful.has_value());
    EXPECT_EQ(graceful->change.edit_key->former_sha256, policy::sha256_hex("before"));
    EXPECT_EQ(graceful->change.edit_key->former_until, 1'790'007'200);
    const auto now = ask(one, "POST", "/admin/v1/keys/k_1/rotate");
    EXPECT_EQ(now->change.edit_key->former_sha256, "");
    EXPECT_EQ(now->event.diff.find("secret_"), std::string::npos);
    for (const auto bad : {R"({"grace":"forever"})", R"({"grace":"31d"})", R"({"grace":5})", R"({"x":1})"})
        EXPECT_EQ(ask(one, "POST", "/admin/v1/keys/k_1/rotate", bad).error().problem.status, 400) << bad;
    {
        policy::quota::Engine engine;
        const auto all = effective(graceful->next);
        const policy::Directory directory(all->config, all->keys, engine, {}, {});
        EXPECT_TRUE(directory.authenticate("before", kNow + std::chrono::hours(1)).has_value());
        EXPECT_FALSE(directory.authenticate("before", kNow + std::chrono::hours(2)).has_value());
        EXPECT_TRUE(directory.authenticate("sk-of-the-file-0123456789", kNow).has_value());
    }
}

TEST(Decide, scopes_of_the_file_are_raised_and_what_it_leaves_open_is_set) {
    const auto refused = ask(state(), "PATCH", "/admin/v1/teams/red", R"({"limits":{"rpm":700}})");
    EXPECT_EQ(refused.error().problem.status, 409);
    EXPECT_EQ(refused.error().problem.place, "tollgate.yaml:5");
    EXPECT_EQ(refused.error().event->action, "team.update");
    EXPECT_EQ(
        ask(state(), "PATCH", "/admin/v1/teams/red", R"({"budget":{"usd":11,"per":"month"}})").error().problem.status,
        409);
    EXPECT_EQ(ask(state(), "PATCH", "/admin/v1/models/m", R"({"limits":{"tpm":{"limit":9}}})").error().problem.status,
              409);
    const auto done =
        ask(state(), "PATCH", "/admin/v1/teams/red",
            R"({"limits":{"rpm":{"raise":{"by":100,"until":"2029-01-01"}},"concurrency":4},)"
            R"("budget":[{"per":"month","raise":{"by":"2.5","until":"2029-01-01"}},{"usd":1,"per":"day"}]})");
    ASSERT_TRUE(done.has_value()) << done.error().problem.detail;
    const auto all = effective(done->next);
    ASSERT_TRUE(all.has_value()) << all.error();
    const config::Team& red = all->config.teams.at("red");
    EXPECT_EQ(red.limits.rpm->amount, 600U);
    EXPECT_EQ(red.limits.rpm->raise->by, 100U);
    EXPECT_EQ(red.limits.rpm->mark.line, 5);
    EXPECT_EQ(red.limits.concurrency->amount, 4U);
    ASSERT_EQ(red.budgets.size(), 2U);
    EXPECT_EQ(red.budgets[0].nano, 10'000'000'000);
    EXPECT_EQ(red.budgets[0].raise->nano, 2'500'000'000);
    EXPECT_EQ(red.budgets[1].nano, 1'000'000'000);
    // What the store added may be changed and taken away again.
    const auto again = ask(done->next, "PATCH", "/admin/v1/teams/red", R"({"limits":{"concurrency":9}})");
    ASSERT_TRUE(again.has_value()) << again.error().problem.detail;
    EXPECT_EQ(effective(again->next)->config.teams.at("red").limits.concurrency->amount, 9U);
    const auto gone = ask(again->next, "PATCH", "/admin/v1/teams/red", R"({"limits":null,"budget":null})");
    ASSERT_TRUE(gone.has_value());
    EXPECT_TRUE(gone->next.overrides.empty());
    EXPECT_EQ(ask(state(), "PATCH", "/admin/v1/teams/red", R"({"contact":"x"})").error().problem.status, 400);
    EXPECT_EQ(ask(state(), "PATCH", "/admin/v1/orgs/none", R"({"limits":{"rpm":1}})").error().problem.status, 404);
    EXPECT_TRUE(ask(state(), "PATCH", "/admin/v1/models/m", R"({"limits":{"rpm":1}})").has_value());
}

TEST(Decide, an_override_of_what_the_file_no_longer_has_is_left_out) {
    const auto done = ask(state(), "PATCH", "/admin/v1/teams/red", R"({"limits":{"concurrency":4}})");
    State next = done->next;
    next.file.teams.erase("red");
    next.file.keys.clear();
    EXPECT_TRUE(effective(next).has_value());
}

TEST(Decide, lists_come_in_pages) {
    State one = state();
    for (int i = 0; i < 5; ++i)
        one.keys.push_back({.id = "k_" + std::to_string(i), .team = i % 2 == 0 ? "red" : "default", .sha256 = {}});
    Call list = call("GET", "/admin/v1/keys");
    const auto page = [&](std::string query) {
        list.query = std::move(query);
        const auto answer = read(list, one, {kNow, fresh()});
        return answer ? json::parse(answer->body) : json::value(answer.error().code);
    };
    EXPECT_EQ(page("").at("data").as_array().size(), 7U);
    EXPECT_EQ(page("team=default").at("data").as_array().size(), 2U);
    const auto first = page("limit=3");
    EXPECT_EQ(first.at("next_cursor"), "k_0");
    EXPECT_EQ(page("limit=3&after=k_0").at("data").at(0).at("id"), "k_1");
    EXPECT_EQ(page("after=k_4").at("has_more"), false);
    for (const auto bad : {"limit=0", "limit=1001", "limit=x", "after=k_none", "tem=red", "team=a&team=b", "team=%zz"})
        EXPECT_EQ(page(bad), "invalid_query") << bad;
}

} // namespace
} // namespace tollgate::admin
