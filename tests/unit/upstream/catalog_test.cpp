#include "gateway/upstream/catalog.hpp"

#include "tests/unit/net/identities.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace tollgate::upstream {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

config::Provider& add_provider(config::Config& config, const std::string& name) {
    config::Provider provider;
    provider.name = name;
    provider.https = false;
    provider.host = name + ".example";
    provider.port = 80;
    provider.path_prefix = "/v1";
    provider.api_keys.emplace_back("sk-" + name);
    return config.providers[name] = std::move(provider);
}

config::Model& add_model(config::Config& config, const std::string& name, std::vector<std::string> aliases = {}) {
    config::Model model;
    model.name = name;
    model.aliases = std::move(aliases);
    config::Upstream upstream;
    upstream.provider = "p";
    if (name.find('*') == std::string::npos) upstream.model = name;
    model.upstreams.push_back(std::move(upstream));
    return config.models[name] = std::move(model);
}

std::shared_ptr<const Catalog> build(const config::Config& config) {
    auto catalog = Catalog::build(config);
    EXPECT_TRUE(catalog) << catalog.error();
    return catalog.value();
}

std::string found(const Catalog& catalog, std::string_view name) {
    const auto resolved = catalog.find(name);
    return resolved ? resolved->model->name + (resolved->wildcard ? " (pattern)" : "") : "unknown";
}

TEST(CatalogFind, exactThenAliasThenLongestPattern) {
    config::Config config;
    add_provider(config, "p");
    add_model(config, "*");
    add_model(config, "gpt-*");
    add_model(config, "gpt-4*");
    add_model(config, "*-mini");
    add_model(config, "gpt-4o", {"small", "ft:special"});
    add_model(config, "ft:*");
    const auto catalog = build(config);
    EXPECT_EQ(found(*catalog, "gpt-4o"), "gpt-4o");
    EXPECT_EQ(found(*catalog, "small"), "gpt-4o");
    EXPECT_EQ(found(*catalog, "ft:special"), "gpt-4o");
    EXPECT_EQ(found(*catalog, "ft:other"), "ft:* (pattern)");
    EXPECT_EQ(found(*catalog, "gpt-4o-mini"), "*-mini (pattern)")
        << "of two of the same length the first in name order";
    EXPECT_EQ(found(*catalog, "gpt-3"), "gpt-* (pattern)");
    EXPECT_EQ(found(*catalog, "x-mini"), "*-mini (pattern)");
    EXPECT_EQ(found(*catalog, "GPT-4o"), "* (pattern)") << "names are case-sensitive";
    EXPECT_THAT(catalog->names(), ElementsAre("ft:special", "gpt-4o", "small"));
}

TEST(CatalogFind, noPattern_isUnknown) {
    config::Config config;
    add_provider(config, "p");
    add_model(config, "a");
    const auto catalog = build(config);
    EXPECT_EQ(found(*catalog, "b"), "unknown");
    EXPECT_EQ(found(*catalog, ""), "unknown");
    EXPECT_EQ(found(*catalog, "a "), "unknown");
}

TEST(CatalogFind, name_winsOverAnAliasWrittenBefore) {
    config::Config config;
    add_provider(config, "p");
    add_model(config, "a", {"b"});
    add_model(config, "b");
    const auto catalog = build(config);
    EXPECT_EQ(found(*catalog, "b"), "b");
    EXPECT_THAT(catalog->names(), ElementsAre("a", "b"));
}

TEST(CatalogModel, candidates_areSortedByOrderThenAsWritten) {
    config::Config config;
    add_provider(config, "p");
    add_provider(config, "q");
    config::Model& model = add_model(config, "m");
    model.upstreams.clear();
    for (const auto& [name, order] :
         {std::pair("one", 2U), std::pair("two", 1U), std::pair("three", 2U), std::pair("four", 1U)}) {
        config::Upstream upstream;
        upstream.provider = order == 1 ? "p" : "q";
        upstream.model = name;
        upstream.order = order;
        upstream.weight = 3;
        model.upstreams.push_back(std::move(upstream));
    }
    const auto catalog = build(config);
    std::vector<std::string> names;
    for (const Candidate& candidate : catalog->find("m")->model->candidates)
        names.push_back(candidate.provider->name + "/" + candidate.model);
    EXPECT_THAT(names, ElementsAre("p/two", "p/four", "q/one", "q/three"));
    EXPECT_EQ(catalog->find("m")->model->candidates[0].weight, 3U);
}

// The cache key holds it: whatever changes who may answer must change it.
TEST(CatalogModel, identity_namesEveryAnswerer) {
    config::Config config;
    add_provider(config, "p");
    config::Model& model = add_model(config, "m");
    const std::string plain = build(config)->find("m")->model->identity;
    EXPECT_THAT(plain, HasSubstr("/m;"));
    config.providers["p"].port = 4443;
    EXPECT_NE(build(config)->find("m")->model->identity, plain) << "another endpoint under the same name";
    config.providers["p"].port = 80;
    model.upstreams[0].via = config::Via::chat;
    const std::string via_chat = build(config)->find("m")->model->identity;
    EXPECT_NE(via_chat, plain);
    model.upstreams[0].via = config::Via::same;
    model.upstreams.push_back(model.upstreams[0]);
    model.upstreams[1].model = "other";
    EXPECT_NE(build(config)->find("m")->model->identity, plain);
    model.upstreams.pop_back();
    model.upstreams[0].weight = 7;
    EXPECT_EQ(build(config)->find("m")->model->identity, plain);
}

TEST(CatalogModel, quotedModel_isJson) {
    config::Config config;
    add_provider(config, "p");
    add_model(config, "m").upstreams[0].model = "a\"b\\c";
    EXPECT_EQ(build(config)->find("m")->model->candidates[0].quoted_model, R"("a\"b\\c")");
}

TEST(CatalogModel, index_startsAtOne) {
    config::Config config;
    add_provider(config, "p");
    add_model(config, "a");
    add_model(config, "b");
    const auto catalog = build(config);
    EXPECT_EQ(catalog->find("a")->model->index, 1U);
    EXPECT_EQ(catalog->find("b")->model->index, 2U);
}

TEST(CatalogProvider, lines_areReadyToSend) {
    config::Config config;
    config::Provider& p = add_provider(config, "p");
    p.api_keys.emplace_back("sk-2");
    p.organization = "org-1";
    p.project = "proj-1";
    config::Provider& q = add_provider(config, "q");
    q.port = 8000;
    config::Provider& v6 = add_provider(config, "v6");
    v6.host = "::1";
    v6.port = 8000;
    v6.is_private = true;
    const auto catalog = build(config);
    const auto& providers = catalog->providers();
    ASSERT_EQ(providers.size(), 3U);
    EXPECT_EQ(providers[0]->host_line, "Host: p.example\r\n");
    EXPECT_EQ(providers[1]->host_line, "Host: q.example:8000\r\n");
    EXPECT_EQ(providers[2]->host_line, "Host: [::1]:8000\r\n");
    EXPECT_TRUE(providers[2]->target.permission.private_ranges);
    EXPECT_FALSE(providers[0]->target.permission.private_ranges);
    ASSERT_TRUE(providers[0]->target.permission.own);
    EXPECT_EQ(providers[0]->target.permission.own->front().port(), 8080) << "our own api listener";
    EXPECT_EQ(providers[0]->target.tls, nullptr);
    ASSERT_EQ(providers[0]->credential_lines.size(), 2U);
    EXPECT_EQ(providers[0]->credential_lines[1].reveal(),
              "Authorization: Bearer sk-2\r\nOpenAI-Organization: org-1\r\nOpenAI-Project: proj-1\r\n");
    EXPECT_EQ(providers[1]->credential_lines[0].reveal(), "Authorization: Bearer sk-q\r\n");
}

// Connections are shared only where scheme, host, port, trust and permission are the same.
TEST(CatalogProvider, poolKey_separatesTrust) {
    config::Config config;
    for (const std::string name : {"a", "b", "c", "d", "e"}) add_provider(config, name).host = "same.example";
    config.providers["b"].port = 81;
    config.providers["c"].https = true;
    config.providers["d"].is_private = true;
    const auto catalog = build(config);
    const auto key = [&](std::size_t i) { return catalog->providers()[i]->pool_key; };
    EXPECT_EQ(key(0), key(4));
    EXPECT_NE(key(0), key(1));
    EXPECT_NE(key(0), key(2));
    EXPECT_NE(key(0), key(3));
    EXPECT_NE(catalog->providers()[2]->target.tls, nullptr);
    EXPECT_EQ(catalog->providers()[2]->host_line, "Host: same.example:80\r\n");
}

// F57: replacing the file and reloading ends the trust that was given by it.
TEST(CatalogProvider, poolKey_isAboutTheAnchorsNotTheFile) {
    const test::Identity first("DNS:one.example");
    const test::Identity second("DNS:two.example");
    config::Config config;
    config::Provider& p = add_provider(config, "p");
    p.https = true;
    p.ca_file = first.cert_file();
    const auto key = [&] { return build(config)->providers()[0]->pool_key; };
    const std::string before = key();
    EXPECT_EQ(key(), before) << "nothing changed: connections stay";
    std::filesystem::copy_file(second.cert_file(), first.cert_file(),
                               std::filesystem::copy_options::overwrite_existing);
    const std::string replaced = key();
    EXPECT_NE(replaced, before);
    p.ca_file = second.cert_file();
    EXPECT_EQ(key(), replaced) << "the same anchors under another name";
    p.ca_file.clear();
    EXPECT_NE(key(), replaced);
}

TEST(CatalogProvider, unreadableTrustFile_isNamedWithItsProvider) {
    config::Config config;
    config::Provider& p = add_provider(config, "p");
    p.https = true;
    p.ca_file = "/nonexistent/ca.pem";
    const auto catalog = Catalog::build(config);
    ASSERT_FALSE(catalog);
    EXPECT_THAT(catalog.error(), testing::AllOf(HasSubstr("\"p\""), HasSubstr("/nonexistent/ca.pem")));
}

TEST(CatalogGroups, namedGroupThenStar) {
    config::Config config;
    add_provider(config, "p").default_for = {"files"};
    add_provider(config, "q").default_for = {"*"};
    const auto catalog = build(config);
    EXPECT_EQ(catalog->for_group("files")->name, "p");
    EXPECT_EQ(catalog->for_group("batches")->name, "q");
    config.providers["q"].default_for.clear();
    EXPECT_EQ(build(config)->for_group("batches"), nullptr);
}

} // namespace
} // namespace tollgate::upstream
