#include "gateway/api/objects.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace tollgate::api {
namespace {

namespace json = boost::json;
using Ids = std::vector<std::string>;

TEST(Models, lists_have_the_sdk_shapes) {
    EXPECT_EQ(json::parse(models_list_body({})), json::parse(R"({"object":"list","data":[]})"));
    EXPECT_EQ(json::parse(models_list_body({"a", "b\"c"})), json::parse(R"({"object":"list","data":[
                {"id":"a","object":"model","created":0,"owned_by":"tollgate"},
                {"id":"b\"c","object":"model","created":0,"owned_by":"tollgate"}]})"));
    EXPECT_EQ(json::parse(model_body("ft:x")),
              json::parse(R"({"id":"ft:x","object":"model","created":0,"owned_by":"tollgate"})"));
    EXPECT_EQ(
        json::parse(engines_list_body({"ada"})),
        json::parse(R"({"object":"list","data":[{"id":"ada","object":"engine","owner":"tollgate","ready":true}]})"));
    EXPECT_EQ(json::parse(engine_body("ada")),
              json::parse(R"({"id":"ada","object":"engine","owner":"tollgate","ready":true})"));
}

TEST(CreatedId, clean_string_or_nothing) {
    EXPECT_EQ(created_id(R"({"id":"file-abc_1.2:3","object":"file"})"), "file-abc_1.2:3");
    EXPECT_EQ(created_id("{\"id\":\"" + std::string(128, 'a') + "\"}"), std::string(128, 'a'));
    for (const std::string& body :
         {std::string(R"({"id":""})"), std::string(R"({"id":"a/b"})"), std::string(R"({"id":5})"),
          std::string(R"({"ID":"a"})"), std::string(R"([{"id":"a"}])"), std::string(R"({"id":"a")"), std::string(),
          std::string(R"({"id":"a\u0000b"})"), std::string(R"({"x":{"id":"a"}})"),
          "{\"id\":\"" + std::string(129, 'a') + "\"}", "{\"id\":\"a\",\"x\":" + std::string(100'000, '[')})
        EXPECT_EQ(created_id(body), std::nullopt) << body.substr(0, 100);
}

TEST(ReferencedIds, every_member_that_names_a_file) {
    EXPECT_EQ(referenced_ids(R"({"input_file_id":"f1","training_file":"f2","validation_file":"f3","output_file_id":null,
        "file_ids":["f4","f5",7],"messages":[{"content":[{"file":{"file_id":"f6"}},{"file_id":"f1"}]}],
        "tool_resources":{"x":{"file_ids":["f7"]}},"files":[{"file_id":"f8"}],"model":"m","ids":["no"],"file":"no"})"),
              (Ids{"f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8"}));
    EXPECT_EQ(referenced_ids(R"({"file_id":"not a clean id/"})"), Ids{"not a clean id/"})
        << "so that no owner is found";
    EXPECT_EQ(referenced_ids("[]"), std::nullopt);
    EXPECT_EQ(referenced_ids("{"), std::nullopt);
}

TEST(FilterList, keeps_only_what_is_owned) {
    const std::string body = R"({"object":"list","data":[{"id":"a","n":9007199254740993},{"id":"b"},{"id":"c","x":[1]},
        {"noid":1},{"id":5},"str"],"first_id":"a","last_id":"z","has_more":true})";
    EXPECT_EQ(list_ids(body), (Ids{"a", "b", "c"}));
    const auto some = filter_list(body, [](std::string_view id) { return id != "b"; });
    ASSERT_TRUE(some);
    EXPECT_EQ(json::parse(*some), json::parse(R"({"object":"list","data":[{"id":"a","n":9007199254740993},
        {"id":"c","x":[1]}],"first_id":"a","last_id":"c","has_more":true})"))
        << *some;
    const auto none = filter_list(body, [](std::string_view) { return false; });
    ASSERT_TRUE(none);
    EXPECT_EQ(json::parse(*none),
              json::parse(R"({"object":"list","data":[],"first_id":null,"last_id":null,"has_more":true})"));
}

TEST(FilterList, adds_no_members_and_refuses_other_bodies) {
    const auto all = [](std::string_view) { return true; };
    EXPECT_EQ(filter_list(R"({"data":[]})", all), R"({"data":[]})");
    for (const char* body : {"", "[]", "{}", R"({"data":{}})", R"({"data":"x"})", R"({"data":[)", "<html>",
                             R"({"data":[],"x":1e999})", R"({"data":[{"x":0e999}]})"}) { // would be written as no JSON
        EXPECT_EQ(filter_list(body, all), std::nullopt) << body;
        EXPECT_EQ(list_ids(body), Ids{}) << body;
    }
}

} // namespace
} // namespace tollgate::api
