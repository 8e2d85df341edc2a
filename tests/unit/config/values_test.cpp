#include "config/values.hpp"

#include <gtest/gtest.h>

namespace tollgate::config {
namespace {

using std::chrono::milliseconds;

TEST(Integer, suffixes_multiply) {
    EXPECT_EQ(parse_integer("600"), 600U);
    EXPECT_EQ(parse_integer("100k"), 100'000U);
    EXPECT_EQ(parse_integer("2M"), 2'000'000U);
    for (const char* bad : {"", "k", "1K", "1kk", "-1", "+1", " 1", "1 ", "1_000", "1.5k", "0x10", "1Mi"}) {
        EXPECT_FALSE(parse_integer(bad)) << bad;
    }
    EXPECT_EQ(parse_integer("9223372036854775807"), 9'223'372'036'854'775'807U);
    for (const char* large : {"9223372036854775808", "99999999999999999999", "9223372036854775M"}) {
        EXPECT_FALSE(parse_integer(large)) << large;
    }
}

TEST(Duration, units_are_read) {
    EXPECT_EQ(parse_duration("30ms"), milliseconds(30));
    EXPECT_EQ(parse_duration("5s"), milliseconds(5'000));
    EXPECT_EQ(parse_duration("10m"), milliseconds(600'000));
    EXPECT_EQ(parse_duration("1h"), milliseconds(3'600'000));
    EXPECT_EQ(parse_duration("7d"), milliseconds(604'800'000));
    for (const char* bad : {"", "s", "5", "5 s", "1h30m", "1.5s", "-5s", "5S", "5min"}) {
        EXPECT_FALSE(parse_duration(bad)) << bad;
    }
    EXPECT_EQ(parse_duration("5").error(), "add a unit: ms, s, m, h or d");
}

TEST(Size, only_binary_units_are_read) {
    EXPECT_EQ(parse_size("123"), 123U);
    EXPECT_EQ(parse_size("1KiB"), 1'024U);
    EXPECT_EQ(parse_size("256MiB"), 268'435'456U);
    EXPECT_EQ(parse_size("1GiB"), 1'073'741'824U);
    for (const char* bad : {"", "1kB", "1MB", "1M", "1 MiB", "KiB", "1kib"}) EXPECT_FALSE(parse_size(bad)) << bad;
}

TEST(EndpointText, literal_addresses_are_read) {
    const auto v4 = parse_endpoint("127.0.0.1:8080");
    ASSERT_TRUE(v4);
    EXPECT_EQ(v4->host, "127.0.0.1");
    EXPECT_EQ(v4->port, 8080);
    const auto v6 = parse_endpoint("[::1]:0");
    ASSERT_TRUE(v6);
    EXPECT_EQ(v6->host, "::1");
    EXPECT_EQ(v6->port, 0);
    const std::string_view nul("127.0.0.1\0x:80", 14);
    for (const std::string_view bad :
         {std::string_view(":80"), std::string_view("::1:80"), std::string_view("[::1]80"),
          std::string_view("[127.0.0.1]:80"), std::string_view("localhost:80"), std::string_view("1.2.3.4:"),
          std::string_view("1.2.3.4:+80"), std::string_view("1.2.3.4:000080"), std::string_view("01.2.3.4:80"), nul}) {
        EXPECT_FALSE(parse_endpoint(bad)) << bad;
    }
}

TEST(Date, days_and_times_are_utc) {
    using namespace std::chrono;
    EXPECT_EQ(parse_date("1970-01-02"), sys_seconds(seconds(86'400)));
    EXPECT_EQ(parse_date("2028-02-29T23:59:59Z"),
              sys_seconds(sys_days(year(2028) / 2 / 29)) + hours(23) + minutes(59) + seconds(59));
    for (const char* bad : {"", "2027", "2027-1-1", "2027-02-29", "2027-13-01", "2027-01-01T", "2027-01-01T24:00:00Z",
                            "2027-01-01T10:00:00", "2027-01-01T10:00Z", "2027-01-01 10:00:00Z", "2027-01-01T10:60:00Z",
                            "27-01-01", "2027-01-01T10:00:00+01:00"}) {
        EXPECT_FALSE(parse_date(bad)) << bad;
    }
}

TEST(Shape, plain_scalars_follow_the_core_schema) {
    for (const char* number : {"1", "-1", "+1.5", ".5", "1e3", "0x1F", "0o17", "-.inf", ".nan", "1."}) {
        EXPECT_EQ(shape_of(number), Shape::number) << number;
    }
    for (const char* text : {"1k", "a", "1.2.3", "0x", "-", ".", "e5", "1e", "2027-01-01", "yes", "0o8"}) {
        EXPECT_EQ(shape_of(text), Shape::text) << text;
    }
    EXPECT_EQ(shape_of("True"), Shape::boolean);
    EXPECT_EQ(shape_of("~"), Shape::null);
}

} // namespace
} // namespace tollgate::config
