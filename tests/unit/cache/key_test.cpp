#include "cache/key.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace tollgate::cache {
namespace {

const crypto::Digest kMacKey = crypto::sha256("test");

std::string canonical(std::string_view body) {
    const auto text = canonical_json(body);
    return text ? *text : "error: " + text.error();
}

KeyParts parts() {
    return {"team:search", "a", "/chat/completions", "openai/gpt-4o-mini", "openai-beta=a\n"};
}

std::string key_of(const KeyParts& tuple, std::string_view body) {
    crypto::Hmac mac(kMacKey);
    return crypto::to_hex(make_key(mac, tuple, body));
}

TEST(CanonicalJson, Members_are_sorted_at_every_level_and_arrays_are_not) {
    EXPECT_EQ(canonical(R"( { "b" : [ 3 , 1, {"z":null,"a":true} ] , "a" : {"d":false,"c":""} } )"),
              R"({"a":{"c":"","d":false},"b":[3,1,{"a":true,"z":null}]})");
    EXPECT_EQ(canonical("{}"), "{}");
    EXPECT_EQ(canonical(R"({"b":{},"a":[]})"), R"({"a":[],"b":{}})");
}

TEST(CanonicalJson, Order_is_that_of_utf16_code_units) {
    // The example of RFC 8785 §3.2.3, without its own order.
    EXPECT_EQ(
        canonical("{\"\\u20ac\":1,\"\\r\":2,\"\\ufb33\":3,\"1\":4,\"\\ud83d\\ude00\":5,\"\\u0080\":6,\"\\u00f6\":7}"),
        "{\"\\r\":2,\"1\":4,\"\u0080\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\uFB33\":3}");
    EXPECT_EQ(canonical(R"({"ab":1,"a":2,"":3})"), R"({"":3,"a":2,"ab":1})");
}

TEST(CanonicalJson, Strings_are_escaped_minimally) {
    EXPECT_EQ(canonical(R"({"a":"\u0061\u00e9\/\"\\\b\f\n\r\t\u0000\u001F\u007f\u2028"})"),
              "{\"a\":\"aé/\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\u2028\"}");
    EXPECT_EQ(canonical(R"({"a":"\u000b"})"), R"({"a":"\u000b"})");
}

TEST(CanonicalJson, Strings_are_neither_normalised_nor_trimmed) {
    EXPECT_NE(canonical("{\"a\":\"\u00e9\"}"), canonical("{\"a\":\"e\u0301\"}"));
    EXPECT_NE(canonical(R"({"a":"x"})"), canonical(R"({"a":"x "})"));
}

TEST(CanonicalJson, Deny_list_applies_to_the_top_level_only) {
    const std::string plain = canonical(R"({"messages":[],"n":1})");
    for (const std::string_view name :
         {"stream", "stream_options", "user", "metadata", "store", "safety_identifier", "prompt_cache_key",
          "prompt_cache_options", "prompt_cache_retention", "service_tier", "model"}) {
        for (const std::string_view value : {"true", R"("x")", R"({"deep":[1,{"er":2}]})", "17", "null"}) {
            const std::string member = "\"" + std::string(name) + "\":" + std::string(value);
            EXPECT_EQ(canonical("{" + member + R"(,"messages":[],"n":1})"), plain) << member;
            EXPECT_EQ(canonical(R"({"messages":[],)" + member + R"(,"n":1})"), plain) << member;
            EXPECT_EQ(canonical(R"({"messages":[],"n":1,)" + member + "}"), plain) << member;
            EXPECT_NE(canonical(R"({"messages":[],"n":{)" + member + "}}"), canonical(R"({"messages":[],"n":{}})"));
        }
    }
    EXPECT_EQ(canonical(R"({"str\u0065am":true})"), "{}") << "the name counts, not its spelling";
}

TEST(CanonicalJson, Members_of_schemas_keep_their_order) {
    const std::string_view bodies[] = {
        R"({"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"b":{"d":1,"c":2},"a":3}}}})",
        R"({"tools":[{"type":"function","function":{"name":"f","parameters":{"b":{"d":1,"c":2},"a":3}}}]})",
        R"({"text":{"format":{"type":"json_schema","schema":{"b":{"d":1,"c":2},"a":3}}}})"};
    for (const std::string_view body : bodies) {
        EXPECT_NE(canonical(body).find(R"({"b":{"d":1,"c":2},"a":3})"), std::string::npos) << canonical(body);
    }
    EXPECT_EQ(canonical(R"({"z":1,"schema":{"b":[{"d":1,"c":2}]},"a":{"b":1,"a":2}})"),
              R"({"a":{"a":2,"b":1},"schema":{"b":[{"d":1,"c":2}]},"z":1})");
}

TEST(CanonicalJson, Deep_and_unsorted_objects_come_out_sorted) {
    std::string body = "0";
    std::string expected = "0";
    for (int i = 0; i < 62; ++i) {
        body = R"({"b":)" + body + R"(,"a":[{"y":1,"x":2}]})";
        expected = R"({"a":[{"x":2,"y":1}],"b":)" + expected + "}";
    }
    EXPECT_EQ(canonical(body), expected);
}

TEST(CanonicalJson, Deeper_than_64_is_refused) {
    const auto nested = [](std::size_t depth) {
        return R"({"a":)" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
    };
    EXPECT_EQ(canonical(nested(64)), nested(64));
    EXPECT_EQ(canonical(nested(65)), "error: nested deeper than 64 levels");
    EXPECT_EQ(canonical(nested(5000)), "error: nested deeper than 64 levels");
}

TEST(CanonicalJson, What_is_not_one_json_object_is_refused) {
    for (const std::string_view body : {"",
                                        " ",
                                        "null",
                                        "[]",
                                        "\"x\"",
                                        "1",
                                        "{",
                                        "{\"a\":1",
                                        "{\"a\":1}x",
                                        "{\"a\":1}{}",
                                        "{\"a\":}",
                                        "{\"a\":1,}",
                                        "{\"a\":tru}",
                                        "{\"a\":nul}",
                                        "{\"a\":01}",
                                        "{\"a\":\"\\x\"}",
                                        "{\"a\":\"\\ud800\"}",
                                        "{\"a\":\"\xff\"}",
                                        "{\"a\":[1,]}",
                                        "{\"a\":[1 2]}",
                                        "{\"a\" 1}",
                                        "{1:2}",
                                        "{\"a\":1}]"}) {
        EXPECT_EQ(canonical(body).substr(0, 6), "error:") << body << " -> " << canonical(body);
    }
    EXPECT_EQ(canonical(R"({"a":1})"), R"({"a":1})") << "an error leaves nothing behind";
}

TEST(CanonicalJson, Big_bodies_are_read_as_well) {
    const std::string text(100'000, 'x');
    EXPECT_EQ(canonical(R"({"b":")" + text + R"(","a":1})"), R"({"a":1,"b":")" + text + R"("})");
    std::string numbers = "{\"input\":[0";
    for (int i = 1; i < 200'000; ++i) numbers += "," + std::to_string(i);
    numbers += "]}";
    EXPECT_EQ(canonical(numbers), numbers);
    EXPECT_EQ(canonical(R"({"b":1,"a":2})"), R"({"a":2,"b":1})") << "small after big";
}

TEST(MakeKey, Every_part_counts) {
    std::set<std::string> keys{key_of(parts(), "{}")};
    const auto changed = [&](std::string_view KeyParts::* part) {
        KeyParts other = parts();
        other.*part = "other";
        return key_of(other, "{}");
    };
    for (const auto part :
         {&KeyParts::scope, &KeyParts::space, &KeyParts::endpoint, &KeyParts::identity, &KeyParts::headers}) {
        EXPECT_TRUE(keys.insert(changed(part)).second);
    }
    EXPECT_TRUE(keys.insert(key_of(parts(), "{ }")).second);
    crypto::Hmac other_secret(crypto::sha256("other"));
    EXPECT_TRUE(keys.insert(crypto::to_hex(make_key(other_secret, parts(), "{}"))).second);
}

TEST(MakeKey, Octets_cannot_move_from_one_part_to_the_next) {
    // Every way to cut one text into the five parts and the body gives another key.
    constexpr std::string_view kText = "aaaaaaaa";
    std::set<std::string> keys;
    std::size_t cuts = 0;
    const std::size_t n = kText.size();
    for (std::size_t a = 0; a <= n; ++a) {
        for (std::size_t b = a; b <= n; ++b) {
            for (std::size_t c = b; c <= n; ++c) {
                const KeyParts tuple{kText.substr(0, a), kText.substr(a, b - a), kText.substr(b, c - b), "", ""};
                keys.insert(key_of(tuple, kText.substr(c)));
                ++cuts;
            }
        }
    }
    EXPECT_EQ(keys.size(), cuts);
}

TEST(MakeKey, The_context_can_be_used_again) {
    crypto::Hmac mac(kMacKey);
    const Key first = make_key(mac, parts(), "{}");
    static_cast<void>(make_key(mac, parts(), "something else"));
    EXPECT_EQ(make_key(mac, parts(), "{}"), first);
}

} // namespace
} // namespace tollgate::cache
