// The rows of tests/corpus/json as far as the body alone decides the outcome, walked by either parser.
#include "gateway/api/request_view.hpp"
#include "tests/support/corpus.hpp"

#include <gtest/gtest.h>
#include <set>

namespace tollgate::test {
namespace {

using api::RequestReader;

class JsonCorpus : public testing::TestWithParam<std::string> {};

// `inspect` says it where media type, size or model decide at the gateway. What has no model is refused behind the
// reader.
TEST_P(JsonCorpus, eitherParser_hasTheRequiredOutcome) {
    const CorpusCase entry = read_case("json", GetParam());
    SCOPED_TRACE(entry.key("about"));
    const bool own = !entry.key("inspect").empty();
    const auto words = words_of(own ? entry.key("inspect") : entry.key("must"));
    const std::string_view code = own && words.size() > 1 ? std::string_view(words[1]) : entry.key("code");
    std::string body;
    body.reserve(entry.octets.size() + RequestReader::padding());
    body = entry.octets;
    RequestReader reader;
    for (const auto parser : {RequestReader::Parser::dom, RequestReader::Parser::on_demand}) {
        SCOPED_TRACE(parser == RequestReader::Parser::dom ? "DOM" : "On-Demand");
        const auto view = reader.read(body, api::Operation::chat, parser);
        EXPECT_EQ(view ? "ok" : std::to_string(view.error().status), words.front());
        if (!view) EXPECT_EQ(view.error().code, code);
        if (view && !entry.key("model").empty()) EXPECT_EQ(view->model, entry.key("model"));
    }
}

INSTANTIATE_TEST_SUITE_P(Section3, JsonCorpus, testing::ValuesIn(case_names("json")),
                         [](const auto& parameter) { return "row_" + parameter.param; });

TEST(JsonCorpusTable, holdsEveryRow) {
    std::set<int> rows;
    for (const std::string& name : case_names("json")) rows.insert(std::stoi(name));
    EXPECT_EQ(rows.size(), 66U);
    EXPECT_EQ(*rows.begin(), 1);
    EXPECT_EQ(*rows.rbegin(), 66);
}

} // namespace
} // namespace tollgate::test
