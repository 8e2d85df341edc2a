#include "gateway/exchange/purge_request.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tollgate::exchange {
namespace {

using namespace std::chrono_literals;

constexpr crypto::Digest kMac{1, 2, 3};

config::Config two_teams() {
    config::Config config;
    config::Provider provider;
    provider.name = "p";
    provider.https = false;
    provider.host = "p.example";
    provider.port = 80;
    provider.api_keys.emplace_back("sk-p");
    config.providers["p"] = provider;
    for (const std::string name : {"fixed", "text-*"}) {
        config::Model model;
        model.name = name;
        if (name == "fixed") model.aliases = {"short"};
        config::Upstream upstream;
        upstream.provider = "p";
        model.upstreams.push_back(upstream);
        config.models[name] = std::move(model);
    }
    for (const std::string id : {"k_red", "k_red2", "k_blue"}) {
        config::Key key;
        key.id = id;
        key.secret = Secret("secret-of-" + id);
        key.team = id.starts_with("k_red") ? "red" : "blue";
        config.keys.push_back(std::move(key));
        config.teams[config.keys.back().team].name = config.keys.back().team;
    }
    return config;
}

// The engine outlives its scopes.
policy::quota::Engine& engine() {
    static policy::quota::Engine one;
    return one;
}

Snapshot snapshot_of(const config::Config& config) {
    auto catalog = upstream::Catalog::build(config);
    EXPECT_TRUE(catalog);
    return {config,
            *catalog,
            policy::Directory(config, {}, engine(), {}, {TimePoint(1'000s), WallTime(1'000'000s)}),
            nullptr,
            {}};
}

class PurgeNames : public testing::Test {
  protected:
    std::vector<std::string> names(std::string_view json) {
        const auto found = purge_names(snapshot, kMac, json);
        EXPECT_TRUE(found) << json << ": " << (found ? "" : found.error().message);
        return found ? *found : std::vector<std::string>();
    }
    int refusal(std::string_view json) {
        const auto found = purge_names(snapshot, kMac, json);
        EXPECT_FALSE(found) << json;
        return found ? 0 : found.error().status;
    }
    const Snapshot snapshot = snapshot_of(two_teams());
};

using Names = std::vector<std::string>;

TEST_F(PurgeNames, areWhatWasAskedFor) {
    EXPECT_EQ(names(R"({"all":true})"), Names{"all"});
    EXPECT_EQ(names(R"({"model":"fixed"})"), Names{"model/fixed"});
    EXPECT_EQ(names(R"({"model":"short"})"), Names{"model/fixed"}) << "an alias is its model";
    EXPECT_EQ(names(R"({"model":"text-*"})"), Names{"model/text-*"});
    EXPECT_EQ(names(R"({"model":"text-a"})"), Names{"model/text-a"});
    EXPECT_EQ(names(R"({"team":"red"})"), Names{"team/red"});
    EXPECT_EQ(names(R"({"tag":"docs"})"), Names{"tag/docs"});
}

TEST_F(PurgeNames, ofARequestAreThoseOfItsMeaningAndScope) {
    const Names red = names(R"({"request":{"model":"fixed","messages":[],"temperature":1.0},"key":"k_red"})");
    ASSERT_EQ(red.size(), 1U);
    EXPECT_TRUE(red[0].starts_with("key/"));
    EXPECT_EQ(red[0].size(), 4 + 64U);
    EXPECT_EQ(names(R"({"key":"k_red2","request":{"temperature":1,"messages":[],"model":"short","stream":true}})"),
              red);
    EXPECT_NE(names(R"({"key":"k_blue","request":{"temperature":1,"messages":[],"model":"fixed"}})"), red);
    EXPECT_NE(names(R"({"key":"k_red","request":{"temperature":1,"messages":[],"model":"fixed"},"namespace":"a"})"),
              red);
    EXPECT_NE(names(R"({"key":"k_red","request":{"n":2,"messages":[],"model":"fixed"}})"), red);
}

TEST_F(PurgeNames, ofEmbeddingsAreThoseOfEveryInput) {
    const auto of = [&](const std::string& inputs) {
        return names(R"({"endpoint":"/v1/embeddings","key":"k_red","request":{"model":"text-a","input":)" + inputs +
                     "}}");
    };
    const Names both = of(R"(["a","b"])");
    ASSERT_EQ(both.size(), 3U);
    EXPECT_EQ(of(R"(["a"])")[1], both[1]);
    EXPECT_EQ(of(R"("b")")[1], both[2]);
}

TEST_F(PurgeNames, thatAreNoneAreRefused) {
    for (const std::string_view json :
         {"", "[]", "{}", "{", R"({"all":false})", R"({"all":1})", R"({"model":1})", R"({"model":""})",
          R"({"model":"fixed","team":"red"})", R"({"modell":"fixed"})", R"({"request":"x","key":"k_red"})",
          R"({"request":{"model":"fixed","n":0},"key":"k_red"})", R"({"key":"k_red"})"})
        EXPECT_EQ(refusal(json), 400) << json;
    for (const std::string_view json :
         {R"({"model":"unknown"})", R"({"team":"nobody"})", R"({"request":{"model":"fixed"},"key":"k_nobody"})",
          R"({"request":{"model":"fixed"}})", R"({"request":{"model":"unknown"},"key":"k_red"})",
          R"({"request":{"model":"fixed"},"key":"k_red","endpoint":"/v1/files"})"})
        EXPECT_EQ(refusal(json), 404) << json;
}

} // namespace
} // namespace tollgate::exchange
