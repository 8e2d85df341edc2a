#include "gateway/exchange/passed_on.hpp"

#include <gtest/gtest.h>

namespace tollgate::exchange {
namespace {

std::string passed(std::string_view query) {
    std::string out;
    append_passed_query(out, query);
    return out;
}

TEST(PassedQuery, leaves_as_it_was_written) {
    EXPECT_EQ(passed(""), "");
    EXPECT_EQ(passed("limit=5&after=file%2D1&include[]=x"), "?limit=5&after=file%2D1&include[]=x");
    EXPECT_EQ(passed("&&a=1&&b"), "?a=1&b");
    EXPECT_EQ(passed("monkey=1&keys=2&page_token=3&%zz=4&%"), "?monkey=1&keys=2&page_token=3&%zz=4&%");
}

TEST(PassedQuery, case_259_credentials_stay_here_however_they_are_spelled) {
    for (const std::string_view credential :
         {"key=SECRET", "KEY=SECRET", "%6bey=SECRET", "k%65y=SECRET", "api%5Fkey=SECRET", "api_key=SECRET",
          "x-api-key=SECRET", "subscription-key=SECRET", "access_token=SECRET", "a=1;key=SECRET", "%20token=SECRET",
          "key[]=SECRET", "key%5B0%5D=SECRET"}) {
        EXPECT_EQ(passed(credential), "") << credential;
        EXPECT_EQ(passed("a=1&" + std::string(credential) + "&b=2"), "?a=1&b=2") << credential;
    }
}

TEST(PassedBeta, is_of_a_closed_list) {
    EXPECT_EQ(passed_beta("assistants=v2"), "assistants=v2");
    EXPECT_EQ(passed_beta("assistants=v2,realtime=v1 , evil=v9"), "assistants=v2, realtime=v1");
    EXPECT_EQ(passed_beta("anything at all; \"x\""), "");
    EXPECT_EQ(passed_beta(""), "");
    EXPECT_EQ(passed_beta("Assistants=v2"), "");
}

TEST(ForeignCharset, case_272_is_seen_in_any_spelling_and_place) {
    for (const std::string_view fine :
         {"application/json", "application/json; charset=utf-8", "application/json;CHARSET=\"UTF-8\"",
          "application/json; charset=utf8", "application/json; profile=x; charset=utf-8", "application/json;"}) {
        EXPECT_FALSE(has_foreign_charset(fine)) << fine;
    }
    for (const std::string_view foreign :
         {"application/json; charset=utf-16", "application/json; Charset=utf-16", "application/json; charset =utf-16",
          "application/json; charset=utf-8; charset=utf-16", "application/json; charset=utf-8; charset=utf-8",
          "application/json; charset", "application/json; charset="}) {
        EXPECT_TRUE(has_foreign_charset(foreign)) << foreign;
    }
}

} // namespace
} // namespace tollgate::exchange
