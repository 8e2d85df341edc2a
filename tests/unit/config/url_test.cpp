#include "config/url.hpp"

#include <gtest/gtest.h>

namespace tollgate::config {
namespace {

TEST(BaseUrlText, parts_are_taken_apart) {
    struct Case {
        const char* text;
        bool https;
        const char* host;
        std::uint16_t port;
        const char* path;
    };
    for (const Case& c :
         {Case{"https://api.openai.com/v1", true, "api.openai.com", 443, "/v1"},
          Case{"https://api.openai.com", true, "api.openai.com", 443, ""},
          Case{"HTTP://127.0.0.1:8000/", false, "127.0.0.1", 8000, ""}, Case{"http://h", false, "h", 80, ""},
          Case{"https://[2606:4700::1]:8443/a/b//", true, "2606:4700::1", 8443, "/a/b"},
          Case{"https://x.example/openai/deployments/gpt-4o", true, "x.example", 443, "/openai/deployments/gpt-4o"}}) {
        const auto got = parse_base_url(c.text);
        ASSERT_TRUE(got) << c.text << ": " << got.error();
        EXPECT_EQ(got->https, c.https) << c.text;
        EXPECT_EQ(got->host, c.host) << c.text;
        EXPECT_EQ(got->port, c.port) << c.text;
        EXPECT_EQ(got->path, c.path) << c.text;
    }
}

TEST(WebhookUrlText, query_and_last_slash_are_kept) {
    const auto target = [](const char* text) {
        const auto got = parse_webhook_url(text);
        EXPECT_TRUE(got) << text << ": " << got.error();
        return got ? got->base.host + got->target : std::string();
    };
    EXPECT_EQ(target("https://h"), "h/");
    EXPECT_EQ(target("https://h/a/b"), "h/a/b");
    EXPECT_EQ(target("https://h/a/"), "h/a/");
    EXPECT_EQ(target("https://h?x=1"), "h/?x=1");
    EXPECT_EQ(target("https://h:8443/a?sig=a%2Fb&c=d/e?f"), "h/a?sig=a%2Fb&c=d/e?f");
}

TEST(WebhookUrlText, everything_else_is_refused) {
    for (const char* text :
         {"", "https://", "ftp://h/", "https://u@h/", "https://h/a#b", "https://h/?a#b", "https://h/?a b",
          "https://h/?a\r\nX: y", "https://h/?\"", "https://h/a/../b", "https://h/\xC3\xA4", "h/a"})
        EXPECT_FALSE(parse_webhook_url(text)) << text;
}

TEST(BaseUrlText, everything_else_is_refused) {
    for (const char* text : {"",
                             "https://",
                             "https:///v1",
                             "//x",
                             "ftp://x",
                             "https://x?y",
                             "https://x#y",
                             "https://u@x",
                             "https://x:0",
                             "https://x:99999",
                             "https://x:",
                             "https://x:8o",
                             "https://[::1",
                             "https://[1.2.3.4]",
                             "https://a b",
                             "https://x/%2e%2e",
                             "https://x/..",
                             "https://x/a//b",
                             "https://127.1",
                             "https://.x",
                             "https://x/a\\b",
                             "https://[::1]x",
                             "https://2130706433/"}) {
        EXPECT_FALSE(parse_base_url(text)) << text;
    }
}

TEST(RedisUrlText, parts_are_taken_apart) {
    const auto plain = parse_redis_url("redis://127.0.0.1");
    ASSERT_TRUE(plain) << plain.error();
    EXPECT_EQ(plain->host, "127.0.0.1");
    EXPECT_EQ(plain->port, 6379);
    EXPECT_EQ(plain->database, 0U);
    EXPECT_TRUE(plain->password.empty());
    const auto full = parse_redis_url("redis://gate:p%40ss/w:rd@[::1]:6380/3");
    ASSERT_TRUE(full) << full.error();
    EXPECT_EQ(full->user, "gate");
    EXPECT_EQ(full->password.reveal(), "p@ss/w:rd");
    EXPECT_EQ(full->host, "::1");
    EXPECT_EQ(full->port, 6380);
    EXPECT_EQ(full->database, 3U);
    const auto password = parse_redis_url("redis://:secret@h/");
    ASSERT_TRUE(password) << password.error();
    EXPECT_EQ(password->user, "");
    EXPECT_EQ(password->password.reveal(), "secret");
    const auto several = parse_redis_url("redis://u:p@a:1,[::1]:2,c/5");
    ASSERT_TRUE(several) << several.error();
    EXPECT_EQ(several->host, "a");
    EXPECT_EQ(several->port, 1);
    ASSERT_EQ(several->others.size(), 2U);
    EXPECT_EQ(several->others[0], (std::pair<std::string, std::uint16_t>("::1", 2)));
    EXPECT_EQ(several->others[1], (std::pair<std::string, std::uint16_t>("c", 6379)));
    EXPECT_EQ(several->database, 5U);
    for (const char* text : {"redis://a,", "redis://,a", "redis://a,,b", "redis://a,b:x"})
        EXPECT_FALSE(parse_redis_url(text)) << text;
}

TEST(RedisUrlText, refusals_never_quote_the_url) {
    for (const char* text :
         {"", "redis:/h", "http://u:hunter2@h", "redis://u:hunter2@", "redis://u:hunter2@h:x", "redis://u:hunter2%zz@h",
          "redis://u:hunter2@h/x", "redis://u:hunter2@h/99999999", "rediss://u:hunter2@h", "redis://u:hunter2%4@h"}) {
        const auto got = parse_redis_url(text);
        ASSERT_FALSE(got) << text;
        EXPECT_EQ(got.error().find("hunter2"), std::string::npos) << got.error();
    }
}

} // namespace
} // namespace tollgate::config
