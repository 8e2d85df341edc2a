#include "gateway/admin/json_body.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace tollgate::admin {
namespace {

json::object object(std::string_view text) {
    return json::parse(text).as_object();
}

std::string refusal(std::string_view text) {
    const auto parsed = parse_body(text);
    return parsed ? "accepted" : parsed.error().detail;
}

TEST(JsonBody, only_one_plain_object_is_a_body) {
    EXPECT_TRUE(parse_body(R"({"a":[1,"x",null,true,0.15]})").has_value());
    for (const auto bad : {"", " ", "[]", "1", "null", "{", R"({"a":1,})", R"({a:1})", R"({"a":1} {})", "{}x",
                           R"({"a":NaN})", R"({/**/})", "{\"a\":\"\xff\"}", R"({"a":"\ud800"})"})
        EXPECT_NE(refusal(bad), "accepted") << bad;
    EXPECT_NE(refusal(R"({"a":1,"b":{"c":1,"c":2}})").find("`c` occurs twice"), std::string::npos);
    EXPECT_NE(refusal(R"({"a":1,"\u0061":2})").find("`a` occurs twice"), std::string::npos);
    EXPECT_EQ(refusal(R"({"a":{"x":1},"b":{"x":1}})"), "accepted");
    EXPECT_NE(refusal(R"({"a":"${env:HOME}"})").find("no meaning"), std::string::npos);
    EXPECT_NE(refusal(R"({"a":1e3})").find("exponent"), std::string::npos);
    EXPECT_NE(refusal(R"({"a":0.1234567890123456})").find("15 digits"), std::string::npos);
    EXPECT_NE(refusal(std::string(20, '[') + std::string(20, ']')), "accepted");
    std::string deep = "1";
    for (int i = 0; i < 20; ++i) deep = R"({"a":)" + deep + "}";
    EXPECT_NE(refusal(deep), "accepted");
    EXPECT_EQ(parse_body("{" + std::string(kLargestBody, ' ') + "}").error().status, 413);
}

TEST(JsonBody, patches_are_merged_and_a_number_is_a_limit) {
    json::object target = object(R"({"alias":"a","limits":{"rpm":60,"tpm":{"limit":9,"burst":10}}})");
    merge(target, object(R"({"alias":null,"limits":{"rpm":{"raise":{"by":5}},"tpm":7},"models":["x"]})"));
    EXPECT_EQ(json::value(target),
              json::parse(R"({"limits":{"rpm":{"limit":60,"raise":{"by":5}},"tpm":7},"models":["x"]})"));
    merge(target, object(R"({"limits":{"rpm":{"raise":null}}})"));
    EXPECT_EQ(json::value(target.at("limits")), json::parse(R"({"rpm":{"limit":60},"tpm":7})"));
}

TEST(JsonBody, differences_name_their_place) {
    EXPECT_EQ(
        diff(object(R"({"a":1,"b":{"c":[1],"d":2},"e/f":1})"), object(R"({"b":{"c":[2],"d":2},"e/f":2,"g":"new"})")),
        R"([{"path":"/a","old":1},{"path":"/b/c","old":[1],"new":[2]},{"path":"/e~1f","old":1,"new":2},)"
        R"({"path":"/g","new":"new"}])");
    EXPECT_EQ(diff(object("{}"), object("{}")), "[]");
}

TEST(JsonBody, trees_know_the_place_of_every_value) {
    const Tree tree = tree_of(object(R"({"limits":{"rpm":"x"},"models":["a","b"],"n":0.15})"));
    ASSERT_EQ(tree.document.root->members.size(), 3U);
    const config::Node& rpm = *tree.document.root->members[0].value->members[0].value;
    EXPECT_EQ(tree.pointers[static_cast<std::size_t>(rpm.place.mark.line) - 1], "/limits/rpm");
    EXPECT_TRUE(rpm.quoted);
    const config::Node& second = *tree.document.root->members[1].value->items[1];
    EXPECT_EQ(tree.pointers[static_cast<std::size_t>(second.place.mark.line) - 1], "/models/1");
    EXPECT_EQ(tree.document.root->members[2].value->text, "0.15");
}

} // namespace
} // namespace tollgate::admin
