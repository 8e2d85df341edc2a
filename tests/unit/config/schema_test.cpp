#include "config/schema.hpp"

#include "config/key_table.hpp"
#include "config/values.hpp"
#include "fixture.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>
#include <set>

namespace tollgate::config::test {
namespace {

namespace json = boost::json;

json::object schema() {
    return json::parse(json_schema()).as_object();
}

// What a `$ref` stands for, and of a `oneOf` the alternative that has `wanted`.
const json::object* resolved(const json::object& root, const json::object* here, std::string_view wanted) {
    if (const json::value* const alternatives = here->if_contains("oneOf")) {
        for (const json::value& one : alternatives->as_array()) {
            if (one.as_object().contains("$ref") || one.as_object().contains(json::string_view(wanted)))
                here = &one.as_object();
            if (here->contains(json::string_view(wanted))) break;
        }
    }
    const json::value* const reference = here->if_contains("$ref");
    if (reference == nullptr) return here;
    constexpr std::string_view kPrefix = "#/definitions/";
    const std::string_view name = std::string_view(reference->as_string()).substr(kPrefix.size());
    return &root.at("definitions").as_object().at(json::string_view(name)).as_object();
}

// Follows a pattern path through properties, additionalProperties and items. "@rate" starts at that definition.
const json::object* at_path(const json::object& root, std::string_view path) {
    const json::object* here = &root;
    while (!path.empty()) {
        const json::value* next = nullptr;
        if (path.starts_with("[]")) {
            here = resolved(root, here, "items");
            next = here->if_contains("items");
            path.remove_prefix(2);
        } else {
            const std::size_t end = std::min(path.find_first_of(".["), path.size());
            const std::string_view step = path.substr(0, end);
            here = resolved(root, here, "properties");
            if (step == "*") {
                next = here->if_contains("additionalProperties");
            } else if (step.starts_with('@')) {
                next = root.at("definitions").as_object().if_contains(json::string_view(step.substr(1)));
            } else if (const json::value* const properties = here->if_contains("properties")) {
                next = properties->as_object().if_contains(json::string_view(step));
            }
            path.remove_prefix(end);
        }
        if (path.starts_with('.')) path.remove_prefix(1);
        if (next == nullptr || !next->is_object()) return nullptr;
        here = &next->as_object();
    }
    return here;
}

std::size_t count_properties(const json::value& value) {
    std::size_t out = 0;
    if (!value.is_object()) return 0;
    for (const auto& member : value.as_object()) {
        if (member.key() == "properties") {
            out += member.value().as_object().size();
            for (const auto& property : member.value().as_object()) out += count_properties(property.value());
        } else if (member.key() == "oneOf") {
            for (const json::value& one : member.value().as_array()) out += count_properties(one);
        } else if (member.key() == "definitions") {
            for (const auto& shape : member.value().as_object()) {
                if (shape.key() != "reference") out += 1 + count_properties(shape.value());
            }
        } else if (member.key() == "additionalProperties" || member.key() == "items") {
            out += member.value().is_object() ? 1 + count_properties(member.value()) : 0;
        }
    }
    return out;
}

TEST(Schema, holds_every_row_of_the_table_and_nothing_else) {
    const json::object root = schema();
    EXPECT_EQ(root.at("$schema").as_string(), "http://json-schema.org/draft-07/schema#");
    for (const Row& row : all_rows()) {
        const json::object* const found = at_path(root, row.path);
        ASSERT_NE(found, nullptr) << row.path;
        EXPECT_EQ(std::string_view(found->at("description").as_string()), row.description) << row.path;
        if (row.type == Type::section && row.constraint.empty()) {
            EXPECT_EQ(found->at("additionalProperties"), json::value(false)) << row.path;
        }
        EXPECT_EQ(found->contains("default"), !row.standard.empty()) << row.path;
    }
    EXPECT_EQ(count_properties(json::value(root)), all_rows().size());
}

TEST(Schema, a_limit_is_a_number_or_a_map_and_a_budget_a_map_or_a_list_of_them) {
    const json::object root = schema();
    const json::array& limit = at_path(root, "@limits.tpm")->at("oneOf").as_array();
    ASSERT_EQ(limit.size(), 2U);
    EXPECT_TRUE(limit[0].as_object().contains("anyOf"));
    EXPECT_EQ(limit[1].as_object().at("$ref").as_string(), "#/definitions/rate");
    const json::array& budget = at_path(root, "teams.*.budget")->at("oneOf").as_array();
    ASSERT_EQ(budget.size(), 2U);
    EXPECT_EQ(budget[0].as_object().at("items").as_object().at("$ref").as_string(), "#/definitions/budget");
    EXPECT_EQ(budget[1].as_object().at("$ref").as_string(), "#/definitions/budget");
    EXPECT_EQ(at_path(root, "@budget")->at("required").as_array(), (json::array{"usd", "per"}));
}

TEST(Schema, required_keys_are_those_of_the_table) {
    const json::object root = schema();
    const json::array want = {"version", "providers", "models"};
    EXPECT_EQ(root.at("required").as_array(), want);
    EXPECT_EQ(at_path(root, "keys[]")->at("required").as_array(), json::array{"id"});
}

TEST(KeyTable, rows_are_consistent) {
    std::set<std::string_view> paths;
    for (const Row& row : all_rows()) {
        EXPECT_TRUE(paths.insert(row.path).second) << row.path << " is written twice";
        EXPECT_TRUE(row.description.ends_with('.')) << row.path;
        EXPECT_EQ(find_later(row.path), nullptr) << row.path << " is both known and of a later version";
        const std::string path(row.path);
        if (row.type == Type::list) EXPECT_NE(find_row(path + "[]"), nullptr) << path;
        if (row.type == Type::named) EXPECT_NE(find_row(path + ".*"), nullptr) << path;
        if (row.type == Type::text || row.type == Type::named)
            EXPECT_EQ(find_rule(row.constraint).name, row.constraint);
        if (row.type == Type::section && !row.constraint.empty()) {
            ASSERT_NE(find_row(row.constraint), nullptr) << path;
            EXPECT_FALSE(children(row.constraint).empty()) << path;
        }
        if (row.type == Type::section && !row.short_form.empty())
            EXPECT_NE(find_row(std::string(inside(row)) + "." + std::string(row.short_form)), nullptr) << path;
        if (row.type == Type::list && !row.short_form.empty())
            EXPECT_EQ(find_row(path + "[]")->type, Type::section) << path;
        const Bounds range = bounds(row);
        if (row.type == Type::integer) EXPECT_TRUE(parse_integer(range.low) && parse_integer(range.high)) << path;
        if (row.type == Type::duration) EXPECT_TRUE(parse_duration(range.low) && parse_duration(range.high)) << path;
        if (row.type == Type::size) EXPECT_TRUE(parse_size(range.low) && parse_size(range.high)) << path;
    }
}

// The default column is what the loader does: writing every default changes nothing.
TEST(KeyTable, defaults_written_out_load_to_the_defaults) {
    const Config plain = load(kBase).config.value();
    const auto group = [](std::string_view section) {
        std::string out;
        for (const Row* const row : children(section)) {
            if (row->standard.empty()) continue;
            const bool quote = row->type == Type::endpoint || row->type == Type::text;
            out += (out.empty() ? "" : ", ") + std::string(leaf(row->path)) + ": " + (quote ? "\"" : "") +
                   std::string(row->standard) + (quote ? "\"" : "");
        }
        return "{ " + out + " }";
    };
    std::string text =
        "version: 1\nproviders:\n  p: { base_url: \"https://api.example.com/v1\", api_keys: [ \"none\" ] }\n"
        "models:\n  m: { upstreams: [ { provider: p } ], timeouts: " +
        group("models.*.timeouts") + " }\n";
    for (const char* section :
         {"listen", "store", "cache", "flights", "body", "overload", "drain", "access_log", "prices"}) {
        std::string written = group(section);
        if (std::string_view(section) == "listen")
            written = written.substr(0, written.size() - 1) + ", limits: " + group("listen.limits") + " }";
        text += std::string(section) + ": " + written + "\n";
    }
    const Loaded loaded = load(text);
    ASSERT_TRUE(loaded.config) << text << listing(loaded);
    const Config& written = *loaded.config;
    EXPECT_EQ(written.listen.api.host, plain.listen.api.host);
    EXPECT_EQ(written.listen.api.port, plain.listen.api.port);
    EXPECT_EQ(written.listen.workers, plain.listen.workers);
    EXPECT_EQ(written.listen.half_close, plain.listen.half_close);
    EXPECT_EQ(written.listen.max_connections, plain.listen.max_connections);
    EXPECT_EQ(written.listen.connections_per_address, plain.listen.connections_per_address);
    EXPECT_EQ(written.listen.limits, plain.listen.limits);
    EXPECT_EQ(written.overload, plain.overload);
    EXPECT_EQ(written.store_path, plain.store_path);
    const Timeouts& left = written.models.at("m").timeouts;
    const Timeouts& right = plain.models.at("m").timeouts;
    EXPECT_EQ(left.connect, right.connect);
    EXPECT_EQ(left.first_token, right.first_token);
    EXPECT_EQ(left.idle, right.idle);
    EXPECT_EQ(left.total, right.total);
    EXPECT_EQ(written.cache.enabled, plain.cache.enabled);
    EXPECT_EQ(written.cache.ttl, plain.cache.ttl);
    EXPECT_EQ(written.cache.memory, plain.cache.memory);
    EXPECT_EQ(written.cache.max_entry, plain.cache.max_entry);
    EXPECT_EQ(written.cache.scope, plain.cache.scope);
    EXPECT_EQ(written.cache.sampled, plain.cache.sampled);
    EXPECT_EQ(written.body.json, plain.body.json);
    EXPECT_EQ(written.body.multipart, plain.body.multipart);
    EXPECT_EQ(written.body.held, plain.body.held);
    EXPECT_EQ(written.drain.delay, plain.drain.delay);
    EXPECT_EQ(written.drain.timeout, plain.drain.timeout);
    EXPECT_EQ(written.prices.shipped, plain.prices.shipped);
    EXPECT_EQ(written.access_log.path, plain.access_log.path);
}

TEST(Reference, page_in_docs_is_the_generated_one) {
    EXPECT_TRUE(source_file("docs/config.md") == reference_markdown())
        << "docs/config.md is out of date: write the output of `tollgate config reference` to it";
}

TEST(Reference, names_every_key) {
    const std::string page = reference_markdown();
    for (const Row* const row : children(""))
        EXPECT_NE(page.find("## " + std::string(row->path) + "\n"), std::string::npos);
    for (const Row* const shape : shapes())
        EXPECT_NE(page.find("### " + std::string(shape->path.substr(1)) + "\n"), std::string::npos) << shape->path;
    EXPECT_NE(page.find("| `tpm` | whole number or [rate](#rate) |"), std::string::npos);
    EXPECT_NE(page.find("| `teams.<name>.budget` | map or list of maps |"), std::string::npos);
    EXPECT_NE(page.find("| `models.<name>.upstreams[].weight` | whole number | `1` | 1 to 1000 |"), std::string::npos);
}

} // namespace
} // namespace tollgate::config::test
