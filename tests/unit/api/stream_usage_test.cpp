#include "gateway/api/request_view.hpp"
#include "gateway/api/stream_usage.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace tollgate::api {
namespace {

std::string asked(std::string body) {
    if (const auto edit = ask_for_usage(body)) body.replace(edit->offset, edit->length, edit->text);
    return body;
}

struct Row {
    std::string_view before, after;
};

TEST(StreamUsageTest, everyOtherOctet_staysAsItWas) {
    for (
        const Row& row : {
            Row{R"({"stream":true})", R"({"stream_options":{"include_usage":true},"stream":true})"},
            Row{R"( { "stream" : true } )", R"( {"stream_options":{"include_usage":true}, "stream" : true } )"},
            Row{R"({"stream_options":null,"a":1})", R"({"stream_options":{"include_usage":true},"a":1})"},
            Row{R"({"stream_options": {} })", R"({"stream_options": {"include_usage":true} })"},
            Row{R"({"stream_options":{ "include_obfuscation":false}})",
                R"({"stream_options":{"include_usage":true, "include_obfuscation":false}})"},
            Row{R"({"stream_options":{"include_usage" : false ,"x":[1,{"y":"}"}]},"z":2})",
                R"({"stream_options":{"include_usage" : true ,"x":[1,{"y":"}"}]},"z":2})"},
            Row{R"({"stream_options":{"include_usage":null}})", R"({"stream_options":{"include_usage":true}})"},
            Row{R"({"m":[{"stream_options":{"include_usage":true}}],"q":"\"stream_options\":{"})",
                R"({"stream_options":{"include_usage":true},"m":[{"stream_options":{"include_usage":true}}],"q":"\"stream_options\":{"})"},
            Row{R"({"n":-1.5e3,"stream_options":{"in":"\\"}})",
                R"({"n":-1.5e3,"stream_options":{"include_usage":true,"in":"\\"}})"},
            // Written with escapes it is the same name: a second one would be a duplicate.
            Row{R"({"stream\u005foptions":{"include\u005fusage":false}})",
                R"({"stream\u005foptions":{"include\u005fusage":true}})"},
        }) {
        EXPECT_EQ(asked(std::string(row.before)), row.after);
    }
}

TEST(StreamUsageTest, whatAsksAlreadyOrIsNoObject_isLeftAlone) {
    for (const std::string_view body : {R"({"stream_options":{"include_usage":true}})", R"({"stream_options":7})",
                                        R"({"stream_options":"x"})", "", "[]"}) {
        EXPECT_FALSE(ask_for_usage(body)) << body;
    }
}

TEST(StreamUsageTest, result_isReadAsAskingForUsage) {
    RequestReader reader;
    for (const std::string_view body :
         {R"({"model":"m","stream":true,"messages":[]})", R"({"model":"m","stream":true,"stream_options":null})",
          R"({"model":"m","stream":true,"stream_options":{"include_usage":false,"include_obfuscation":true}})"}) {
        const auto view = reader.read(asked(std::string(body)), Operation::chat);
        ASSERT_TRUE(view) << body;
        EXPECT_TRUE(view->include_usage) << body;
        EXPECT_TRUE(view->stream);
    }
}

} // namespace
} // namespace tollgate::api
