#include "policy/directory.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tollgate::policy {
namespace {

const std::vector<std::string> kKnown{"gpt-4o",  "gpt-4o-mini", "gpt-4.1",          "o3",   "claude-sonnet",
                                      "llama-3", "ft:*",        "text-embedding-3", "gpt-5"};

Principal principal_with(std::vector<std::string> key_models, std::vector<std::string> team_models,
                         std::vector<std::string> routes = {}) {
    Principal principal;
    principal.key_id = "k_demo";
    principal.team = "search";
    principal.key_models = std::move(key_models);
    principal.team_models = std::move(team_models);
    principal.routes = std::move(routes);
    return principal;
}

bool allowed(const Principal& principal, std::string_view group, std::string_view model) {
    return may(principal, group, model, kKnown).has_value();
}

Error denial(const Principal& principal, std::string_view group, std::string_view model) {
    const auto result = may(principal, group, model, kKnown);
    EXPECT_FALSE(result.has_value()) << group << ' ' << model;
    return result ? Error{} : result.error();
}

TEST(May, empty_lists_allow_every_model) {
    EXPECT_TRUE(allowed(principal_with({}, {}), "", "anything/at-all:1"));
}

TEST(May, key_and_team_must_both_agree) {
    const Principal principal = principal_with({"gpt-4*", "o3"}, {"gpt-4o*", "claude-*"});
    EXPECT_TRUE(allowed(principal, "", "gpt-4o"));
    EXPECT_TRUE(allowed(principal, "", "gpt-4o-mini"));
    EXPECT_FALSE(allowed(principal, "", "gpt-4.1")) << "the team's list lacks it";
    EXPECT_FALSE(allowed(principal, "", "claude-sonnet")) << "the key's list lacks it";
    EXPECT_FALSE(allowed(principal, "", "o3"));
}

TEST(May, names_are_compared_exactly) {
    const Principal principal = principal_with({"gpt-4o"}, {});
    for (const std::string_view model : {"GPT-4o", "gpt-4o ", "gpt-4o-mini", "gpt-4", "xgpt-4o", "*", "gpt-*"}) {
        EXPECT_FALSE(allowed(principal, "", model)) << model;
    }
}

TEST(May, blocked_model_names_the_list_and_the_five_nearest) {
    Principal principal = principal_with({}, {"gpt-*", "o3", "llama-*", "claude-*"});
    principal.contact = "#llm-platform";
    const Error error = denial(principal, "", "gpt4-o");
    EXPECT_FALSE(allowed(principal, "", "gpt4-o"));
    EXPECT_EQ(error.type, ErrorType::policy_model_blocked);
    EXPECT_EQ(error.status, 403);
    EXPECT_EQ(error.openai_type, "invalid_request_error");
    EXPECT_EQ(error.code, "model_not_found");
    EXPECT_EQ(error.retry, Retry::never);
    EXPECT_EQ(error.message,
              "Key \"k_demo\" may not use model \"gpt4-o\": the team's allow-list does not have it. Models it "
              "may use: gpt-4o, gpt-5, gpt-4.1, gpt-4o-mini, o3. Contact: #llm-platform.");
    EXPECT_EQ(error.details, R"("scope":"team","scope_name":"search","contact":"#llm-platform",)"
                             R"("allowed_models":["gpt-4o","gpt-5","gpt-4.1","gpt-4o-mini","o3"])");
}

TEST(May, blocked_by_the_key_says_so_and_lists_only_what_both_allow) {
    const Error error = denial(principal_with({"gpt-*"}, {"gpt-5", "o3"}), "", "o3");
    EXPECT_EQ(error.message,
              "Key \"k_demo\" may not use model \"o3\": the key's allow-list does not have it. Models it may "
              "use: gpt-5.");
}

TEST(May, nothing_allowed_is_said_plainly) {
    const Error error = denial(principal_with({"gpt-*"}, {"llama-*"}), "", "o3");
    EXPECT_NE(error.message.find("none of the configured models"), std::string::npos) << error.message;
    EXPECT_NE(error.details.find("\"allowed_models\":[]"), std::string::npos) << error.details;
}

TEST(May, long_model_names_are_cut_in_the_answer) {
    const Error error = denial(principal_with({"gpt-4o"}, {}), "", std::string(1 << 20, 'm'));
    EXPECT_LT(error.message.size(), 400U);
}

TEST(May, route_groups_must_be_granted) {
    const Principal plain = principal_with({}, {});
    EXPECT_TRUE(allowed(plain, "", ""));
    const Error error = denial(plain, "files", "");
    EXPECT_EQ(error.type, ErrorType::policy_access_denied);
    EXPECT_EQ(error.status, 403);
    EXPECT_EQ(error.retry, Retry::never);
    EXPECT_NE(error.message.find("may not use files"), std::string::npos) << error.message;
    EXPECT_NE(error.details.find(R"("route_group":"files")"), std::string::npos) << error.details;
    EXPECT_TRUE(allowed(principal_with({}, {}, {"files"}), "files", ""));
    EXPECT_FALSE(allowed(principal_with({}, {}, {"files"}), "batches", ""));
    EXPECT_FALSE(allowed(principal_with({}, {}, {"file"}), "files", ""));
    EXPECT_TRUE(allowed(principal_with({}, {}, {"*"}), "vector_stores", ""));
}

TEST(May, granted_route_still_checks_the_model) {
    const Principal principal = principal_with({"gpt-4o"}, {}, {"stored"});
    EXPECT_TRUE(allowed(principal, "stored", "gpt-4o"));
    EXPECT_FALSE(allowed(principal, "stored", "o3"));
}

TEST(May, unmetered_groups_are_refused_for_keys_with_a_model_list) {
    for (const std::string_view group : {"batches", "fine_tuning"}) {
        EXPECT_TRUE(allowed(principal_with({}, {}, {"*"}), group, "")) << group;
        EXPECT_EQ(denial(principal_with({"gpt-4o"}, {}, {"*"}), group, "").type, ErrorType::policy_access_denied);
        EXPECT_EQ(denial(principal_with({}, {"gpt-4o"}, {"*"}), group, "gpt-4o").type, ErrorType::policy_access_denied);
    }
    EXPECT_TRUE(allowed(principal_with({"gpt-4o"}, {}, {"*"}), "files", ""));
}

TEST(May, a_list_of_everything_is_no_list) {
    for (const std::string_view group : {"batches", "fine_tuning"}) {
        EXPECT_TRUE(allowed(principal_with({}, {"*"}, {"*"}), group, "")) << group;
        EXPECT_TRUE(allowed(principal_with({"*"}, {}, {"*"}), group, "gpt-4o")) << group;
        EXPECT_TRUE(allowed(principal_with({"*", "gpt-4o"}, {"*"}, {"*"}), group, "")) << group;
        EXPECT_FALSE(allowed(principal_with({"gpt-4o"}, {"*"}, {"*"}), group, "")) << group;
        EXPECT_FALSE(allowed(principal_with({"*"}, {"gpt-*"}, {"*"}), group, "")) << group;
    }
}

TEST(VisibleModels, both_lists_filter_and_patterns_are_left_out) {
    EXPECT_EQ(visible_models(principal_with({"gpt-*", "ft:*"}, {"*o*", "ft:*"}), kKnown),
              (std::vector<std::string>{"gpt-4o", "gpt-4o-mini"}));
    EXPECT_EQ(visible_models(principal_with({}, {}), {"b", "ft:*", "a"}), (std::vector<std::string>{"b", "a"}));
    EXPECT_TRUE(visible_models(principal_with({"x"}, {}), kKnown).empty());
}

} // namespace
} // namespace tollgate::policy
