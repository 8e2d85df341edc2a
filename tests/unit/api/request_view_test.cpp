// Rows are those of reliability §3.
#include "gateway/api/request_view.hpp"

#include <gtest/gtest.h>

namespace tollgate::api {
namespace {

using namespace std::string_literals;

// Reads with both parsers; they must agree wherever one of them is asked.
Result<RequestView> read(const std::string& body, Operation operation = Operation::chat) {
    static RequestReader reader;
    std::string padded;
    padded.reserve(body.size() + RequestReader::padding());
    padded = body;
    auto dom = reader.read(padded, operation, RequestReader::Parser::dom);
    auto streamed = reader.read(padded, operation, RequestReader::Parser::on_demand);
    EXPECT_EQ(dom.has_value(), streamed.has_value()) << body.substr(0, 200);
    if (dom && streamed) {
        EXPECT_EQ(dom->model_token.offset, streamed->model_token.offset) << body.substr(0, 200);
    }
    return reader.read(padded, operation);
}

// "code/param" of a refusal, "ok" otherwise; every refusal is checked to be the client's 400.
std::string verdict(const std::string& body, Operation operation = Operation::chat) {
    const auto view = read(body, operation);
    if (view) return "ok";
    EXPECT_EQ(view.error().status, 400) << body.substr(0, 200);
    EXPECT_EQ(view.error().type, ErrorType::caller_invalid_request) << body.substr(0, 200);
    EXPECT_FALSE(view.error().message.empty());
    std::string out(view.error().code);
    if (!view.error().param.empty()) out += "/" + view.error().param;
    return out;
}

void expect_all(std::string_view expected, std::initializer_list<std::string> bodies) {
    for (const std::string& body : bodies) EXPECT_EQ(verdict(body), expected) << body.substr(0, 200);
}

TEST(RequestDocument, rows_1_to_3_empty_and_not_an_object) {
    expect_all("invalid_json", {"", "  \r\n\t "});
    expect_all("not_object", {"null", "[{\"model\":\"m\"}]", "\"x\"", "5", "-1", "true", "[]"});
}

TEST(RequestDocument, rows_4_to_6_and_17_truncated_or_followed_by_more) {
    expect_all("invalid_json",
               {"{\"model\":\"m\"", "{", "{\"", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":\"b\\", "{\"a\":[1,",
                "{\"model\":\"m\"}xx", "{\"model\":\"m\"}\0"s, "{\"model\":\"m\"}{\"model\":\"n\"}",
                "{\"model\":\"m\"}\n{\"model\":\"n\"}\n", "{\"model\":\"m\"},", "{}]"});
}

TEST(RequestDocument, row_7_white_space_around_is_fine) {
    const auto view = read(" \t\r\n{ \"model\" : \"m\" } \r\n\t ");
    ASSERT_TRUE(view);
    EXPECT_EQ(view->model, "m");
    EXPECT_EQ(view->members, 1U);
    EXPECT_EQ(verdict("{}"), "ok");
}

TEST(RequestDocument, rows_8_and_9_byte_order_marks_and_utf16) {
    EXPECT_EQ(verdict("\xEF\xBB\xBF{\"model\":\"m\"}"), "invalid_json");
    EXPECT_EQ(verdict("\xFF\xFE{\0}\0"s), "invalid_utf8");
    EXPECT_EQ(verdict("\xFE\xFF\0{\0}"s), "invalid_utf8");
    EXPECT_EQ(verdict("{\0\"\0m\0\"\0:\0001\0}\0"s), "invalid_json");
    EXPECT_EQ(verdict("\0{\0}"s), "invalid_json");
}

TEST(RequestDocument, rows_10_to_15_almost_json) {
    expect_all("invalid_json", {"{/*x*/}",
                                "{}//x",
                                "{\"a\":1 #x\n}",
                                "{'a':1}",
                                "{a:1}",
                                "{\"a\":undefined}",
                                "{\"model\":\"m\",}",
                                "{\"a\" 1}",
                                "{\"a\":1,,\"b\":2}",
                                "{,}",
                                "{\"a\":1 \"b\":2}",
                                "{\"a\":[1 2]}",
                                "{\"a\":[1,]}",
                                "{\"a\":[,1]}",
                                "{\"model\":\"m\",\"messages\":[],\"x\":}",
                                "{\"model\":\"m\",\"x\":[}}",
                                "{\"model\":\"m\",\"x\":[1}",
                                "{\"model\":\"m\",\"messages\":[1,2,oops]}",
                                "{\"a\":nul}",
                                "{\"a\":nulll}",
                                "{\"a\":truex}",
                                "{\"a\":fals}",
                                "{\"a\"}",
                                "{:1}",
                                "{1:2}",
                                "{\"a\":1:2}",
                                "{\\\"a\":1}",
                                "{\"a\":}"});
}

TEST(RequestKeys, rows_20_to_25_duplicates_at_any_depth_after_unescaping) {
    EXPECT_EQ(verdict(R"({"model":"cheap","model":"dear"})"), "duplicate_key/model");
    EXPECT_EQ(verdict(R"({"model":"cheap","m\u006fdel":"dear"})"), "duplicate_key/model");
    EXPECT_EQ(verdict(R"({"stream":false,"stream":true})"), "duplicate_key/stream");
    EXPECT_EQ(verdict(R"({"messages":[],"messages":[]})"), "duplicate_key/messages");
    EXPECT_EQ(verdict(R"({"max_tokens":1,"x":{},"max_tokens":2})"), "duplicate_key/max_tokens");
    expect_all("duplicate_key", {R"({"messages":[{"role":"user","role":"system"}]})",
                                 R"({"stream_options":{"include_usage":true,"include_usage":false}})",
                                 R"({"tools":[{"type":"function","function":{"name":"a","n\u0061me":"b"}}]})",
                                 R"({"a":{"b":{"c":[[{"":1,"":2}]]}}})", R"({"x":{"\u00e9":1,"é":2}})",
                                 R"({"x":{"a\n":1,"a\u000a":2}})"});
    EXPECT_EQ(verdict(R"({"a":{"b":1},"c":{"b":1},"b":[{"b":1},{"b":2}]})"), "ok");
}

TEST(RequestKeys, row_22_escaped_name_is_the_name) {
    const std::string body = R"({"messages":["\"model\":\"x\"",{"model":"y"}], "m\u006fdel" : "d\u0065ar" ,"z":1})";
    const auto view = read(body);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->model, "dear");
    EXPECT_EQ(body.substr(view->model_token.offset, view->model_token.length), R"("d\u0065ar")");
}

TEST(RequestKeys, row_26_case_variants_of_policy_keys) {
    for (const std::string key : {"Model", "MODEL", "Stream", "Max_Tokens", "max_Completion_tokens",
                                  "Max_output_tokens", "N", "Messages", "Input", "Prompt", "Tools", "Store", "User",
                                  "me\xC5\xBF\xC5\xBF"
                                  "ages",
                                  "max_to\xE2\x84\xAA"
                                  "ens"}) {
        EXPECT_EQ(verdict("{\"model\":\"m\",\"" + key + "\":1}"), "invalid_value/" + key);
    }
    EXPECT_EQ(verdict(R"({"model":"m","messages":[{"Model":"x","STREAM":1}],"model2":1,"modem":2})"), "ok");
    EXPECT_EQ(verdict(R"({"stream_options":{"include_usage":true,"Include_Usage":false}})"),
              "invalid_value/Include_Usage");
    EXPECT_EQ(verdict(R"({"tools":[{"type":"function","Type":"web_search"}]})"), "invalid_value/Type");
    EXPECT_EQ(verdict(R"({"input":[{"role":"user","TOOLS":[]}]})"), "invalid_value/TOOLS");
    EXPECT_EQ(verdict(R"({"tools":[{"type":"function","function":{"Type":1,"parameters":{"Type":2}}}]})"), "ok");
}

TEST(RequestKeys, row_27_nul_and_lone_surrogates) {
    EXPECT_EQ(verdict(R"({"model":"m","model\u0000":"x"})"), "invalid_value");
    EXPECT_EQ(verdict(R"({"model":"m","model\ud800":"x"})"), "invalid_json");
    EXPECT_EQ(verdict(R"({"x":{"a\u0000":1}})"), "invalid_value");
}

TEST(RequestKeys, rows_30_and_31_odd_names_are_data) {
    EXPECT_EQ(verdict("{\"\":1,\"" + std::string(256, 'k') + "\":2}"), "ok");
    EXPECT_EQ(verdict("{\"" + std::string(257, 'k') + "\":2}"), "invalid_value");
    EXPECT_EQ(verdict("{\"x\":{\"" + std::string(1'000'000, 'k') + "\":2}}"), "invalid_value");
    EXPECT_EQ(verdict(R"({"__proto__":{},"constructor":1,"$where":"; DROP TABLE"})"), "ok");
}

TEST(RequestNumbers, rows_32_and_33_not_json) {
    for (const std::string number : {"NaN", "Infinity", "-Infinity", "+5", "0x10", ".5", "5.", "05", "-", "1e", "1e+",
                                     "--1", "1.e5", "-05", "1_0", "0.1.2", "1a"}) {
        EXPECT_EQ(verdict("{\"x\":" + number + "}"), "invalid_json") << number;
        EXPECT_EQ(verdict("{\"max_tokens\":" + number + "}"), "invalid_json") << number;
    }
}

TEST(RequestNumbers, rows_34_to_36_and_40_token_limits) {
    for (const std::string name : {"max_tokens", "max_completion_tokens", "max_output_tokens"}) {
        const auto with = [&](const std::string& value) { return verdict("{\"" + name + "\":" + value + "}"); };
        for (const char* value : {"5.0", "5e0", "0.5", "\"5\"", "true", "[5]", "{}"})
            EXPECT_EQ(with(value), "invalid_type/" + name) << value;
        for (const char* value : {"-1", "-0", "0", "9223372036854775808", "18446744073709551615"})
            EXPECT_EQ(with(value), "invalid_value/" + name) << value;
        for (const char* value : {"18446744073709551616", "1e400", "-9223372036854775809"})
            EXPECT_EQ(with(value), "invalid_json") << value;
        for (const char* value : {"1", "null", "9223372036854775807"}) EXPECT_EQ(with(value), "ok") << value;
        EXPECT_FALSE(read("{\"" + name + "\":null}")->has_max_tokens);
        EXPECT_TRUE(read("{\"" + name + "\":7}")->has_max_tokens);
    }
}

TEST(RequestNumbers, rows_37_and_38_endless_numbers) {
    EXPECT_EQ(verdict("{\"seed\":" + std::string(100'000, '7') + "}"), "invalid_value");
    EXPECT_EQ(verdict("{\"x\":0." + std::string(100'000, '1') + "}"), "invalid_value");
    EXPECT_EQ(verdict("{\"x\":0." + std::string(62, '1') + "}"), "ok");
    EXPECT_EQ(verdict("{\"x\":0." + std::string(63, '1') + "}"), "invalid_value");
}

// Behind admission other parsers read the body: for a number that only simdjson takes they saw nothing of it at all,
// and with it neither whose files it names nor which models its tools use.
TEST(RequestNumbers, exponents_that_parsers_disagree_on) {
    for (const char* value : {"0e309", "0e99999", "1e-1000", "0e-99999999999", "1E+0309", "-0.0e999", "1e1000"})
        EXPECT_EQ(verdict(std::string("{\"x\":[") + value + "]}"), "invalid_json") << value;
    for (const char* value : {"1e308", "0e308", "5e-324", "1e-999", "1e0000000308", "0E-0", "1.7976931348623157e+308"})
        EXPECT_EQ(verdict(std::string("{\"x\":[") + value + "]}"), "ok") << value;
    EXPECT_EQ(verdict(R"({"x":"0e99999"})"), "ok");
}

TEST(RequestNumbers, row_39_large_seed_is_kept_in_the_text) {
    const auto view = read(R"({"model":"m","seed":9007199254740993,"temperature":0})");
    ASSERT_TRUE(view);
    EXPECT_TRUE(view->has_seed);
    EXPECT_EQ(view->temperature, 0.0);
    EXPECT_FALSE(read(R"({"seed":null})")->has_seed);
    EXPECT_FALSE(read(R"({"temperature":"0"})")->temperature.has_value());
    EXPECT_EQ(read(R"({"temperature":0.25})")->temperature, 0.25);
}

TEST(RequestNumbers, row_41_n_is_bounded) {
    for (const std::string name : {"n", "num_images", "candidate_count"}) {
        for (const char* value : {"0", "-1", "129", "10000"})
            EXPECT_EQ(verdict("{\"" + name + "\":" + value + "}"), "invalid_value/" + name);
        for (const char* value : {"1.0", "\"1\"", "true", "[]"})
            EXPECT_EQ(verdict("{\"" + name + "\":" + value + "}"), "invalid_type/" + name);
        for (const char* value : {"1", "128", "null"}) EXPECT_EQ(verdict("{\"" + name + "\":" + value + "}"), "ok");
    }
    EXPECT_EQ(verdict(R"({"best_of":10000})"), "invalid_value/best_of");
}

TEST(RequestStrings, row_43_invalid_utf8) {
    for (const std::string octets : {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xe2\x82", "\x80", "\xf5\x80\x80\x80"}) {
        EXPECT_EQ(verdict("{\"x\":\"" + octets + "\"}"), "invalid_utf8");
        EXPECT_EQ(verdict("{\"" + octets + "\":1}"), "invalid_utf8");
        EXPECT_EQ(verdict("{\"x\":" + octets + "}"), "invalid_utf8");
    }
    EXPECT_EQ(verdict("\xff{}"), "invalid_utf8");
    EXPECT_EQ(verdict("{\"x\":\"\xF0\x9F\x98\x80 \\ud83d\\ude00 \xE2\x82\xAC\"}"), "ok");
}

TEST(RequestStrings, rows_44_45_47_to_49_escapes_and_controls) {
    for (const std::string text : {"\\ud800", "\\udc00", "\\ud800\\u0041", "\\ud800\\ud800", "\\ud800x", "\\uDBFF\\n",
                                   "\\ud83d\\ude0", "\\x41", "\\u12G4", "\\u", "\\u12", "\n", "\x01", "\x1f", "\\"}) {
        EXPECT_EQ(verdict("{\"model\":\"" + text + "\"}"), "invalid_json") << text;
        EXPECT_EQ(verdict("{\"x\":[{\"y\":\"" + text + "\"}]}"), "invalid_json") << text;
    }
    EXPECT_EQ(verdict("{\"x\":\"a\0b\"}"s), "invalid_json");
    EXPECT_EQ(verdict("{\"x\":\"" + std::string(10'000'000, 'a')), "invalid_json");
}

TEST(RequestStrings, rows_46_and_50_model_names) {
    for (const std::string name : {"", "a\\u0000b", "../../admin", "a?b#c", "a/b/../c", "*", "gpt-*", "a\\r\\nb", "a b",
                                   ".", "..", "a/.", "%2e", "a\\\\b", "a+b"}) {
        EXPECT_EQ(verdict("{\"model\":\"" + name + "\"}"), "invalid_value/model") << name;
    }
    EXPECT_EQ(verdict("{\"model\":\"" + std::string(10'240, 'a') + "\"}"), "invalid_value/model");
    EXPECT_EQ(verdict("{\"model\":\"" + std::string(129, 'a') + "\"}"), "invalid_value/model");
    for (const std::string name : {"gpt-4o", "ft:gpt-4o:org::id", "meta-llama/Llama-3", "@cf/x", "/srv/m", "v1.2_b"}) {
        const auto view = read("{\"model\":\"" + name + "\"}");
        ASSERT_TRUE(view) << name;
        EXPECT_EQ(view->model, name);
    }
    for (const char* value : {"null", "5", "true", "[]", "{}", "[\"m\"]"})
        EXPECT_EQ(verdict("{\"model\":"s + value + "}"), "invalid_type/model") << value;
}

TEST(RequestStrings, row_51_lookalike_models_are_unknown) {
    for (const std::string name : {"gpt\xE2\x80\x8B-4o", "\xD0\xB0", "gpt\\u202e"}) {
        const auto view = read("{\"model\":\"" + name + "\"}");
        ASSERT_FALSE(view) << name;
        EXPECT_EQ(view.error().status, 404) << name;
        EXPECT_EQ(view.error().code, "model_not_found") << name;
    }
}

TEST(RequestStrings, row_52_labels_are_bounded) {
    EXPECT_EQ(verdict("{\"user\":\"" + std::string(512, 'u') + "\"}"), "ok");
    EXPECT_EQ(verdict("{\"user\":\"" + std::string(513, 'u') + "\"}"), "invalid_value/user");
    EXPECT_EQ(verdict("{\"user\":5}"), "invalid_type/user");
    EXPECT_EQ(verdict("{\"metadata\":{\"k\":\"" + std::string(513, 'v') + "\"}}"), "invalid_value/metadata");
    std::string euros;
    for (int i = 0; i < 512; ++i) euros += "\xE2\x82\xAC";
    EXPECT_EQ(verdict("{\"metadata\":{\"k\":\"" + euros + "\"}}"), "ok") << "characters count, as at OpenAI";
    std::string pairs;
    for (int i = 0; i < 17; ++i) pairs += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":\"v\"";
    EXPECT_EQ(verdict("{\"metadata\":{" + pairs + "}}"), "invalid_value/metadata");
}

TEST(RequestMeaning, row_60_forbidden_fields) {
    for (const std::string name : {"api_base", "base_url", "api_key", "api_version", "custom_llm_provider",
                                   "extra_headers", "proxy", "user_config", "model_list", "API_Base"}) {
        EXPECT_EQ(verdict("{\"" + name + "\":null}"), "forbidden_field/" + name);
        for (const std::string parent : {"litellm_params", "metadata", "extra_body"})
            EXPECT_EQ(verdict("{\"" + parent + "\":{\"" + name + "\":\"x\"}}"), "forbidden_field/" + name) << parent;
        EXPECT_EQ(verdict("{\"extra_body\":{\"a\":[{\"" + name + "\":1}]}}"), "forbidden_field/" + name);
        EXPECT_EQ(verdict("{\"messages\":[{\"" + name + "\":1}],\"tools\":[{\"" + name + "\":{}}]}"), "ok") << name;
    }
}

TEST(RequestMeaning, row_66_stream_is_a_boolean) {
    for (const char* value : {"\"true\"", "1", "[]", "{}", "0.0"})
        EXPECT_EQ(verdict("{\"stream\":"s + value + "}"), "invalid_type/stream") << value;
    EXPECT_TRUE(read(R"({"stream":true})")->stream);
    EXPECT_FALSE(read(R"({"stream":false})")->stream);
    EXPECT_FALSE(read(R"({"stream":null})")->stream);
    EXPECT_TRUE(read(R"({"stream_options":{"include_usage":true}})")->include_usage);
    EXPECT_FALSE(read(R"({"stream_options":null})")->include_usage);
    EXPECT_FALSE(read(R"({"stream_options":{"x":{"include_usage":true}}})")->include_usage);
    EXPECT_EQ(verdict(R"({"stream_options":{"include_usage":"yes"}})"), "invalid_type/stream_options.include_usage");
    EXPECT_EQ(verdict(R"({"stream_options":[]})"), "invalid_type/stream_options");
}

TEST(RequestMeaning, store_and_server_side_state) {
    EXPECT_TRUE(read(R"({"store":true})")->store);
    EXPECT_TRUE(read(R"({"store":false})")->store_present);
    EXPECT_FALSE(read(R"({"store":null})")->store_present);
    EXPECT_EQ(verdict(R"({"store":"true"})"), "invalid_type/store");
    EXPECT_EQ(verdict(R"({"background":1})"), "invalid_type/background");
    const auto previous = [](const std::string& body, Operation operation = Operation::responses) {
        return read(body, operation)->has_previous_response;
    };
    EXPECT_TRUE(previous(R"({"previous_response_id":"resp_1"})"));
    EXPECT_TRUE(previous(R"({"conversation":{"id":"c"}})"));
    EXPECT_TRUE(previous(R"({"conversation":"c"})"));
    EXPECT_TRUE(previous(R"({"background":true})"));
    EXPECT_TRUE(previous(R"({"prompt":{"id":"p"}})"));
    EXPECT_TRUE(previous(R"({"input":[{"type":"item_reference","id":"msg_1"}]})"));
    EXPECT_TRUE(previous(R"({"input":[{"id":"msg_1"}]})"));
    EXPECT_FALSE(previous(R"({"previous_response_id":null,"conversation":null,"background":false,"prompt":null})"));
    EXPECT_FALSE(previous(R"({"input":[{"role":"user","content":"x"},{"type":"function_call_output","output":""}]})"));
    EXPECT_FALSE(previous(R"({"prompt":"once upon"})", Operation::text_completion));
}

TEST(RequestMeaning, hosted_tools) {
    const auto hosted = [](const std::string& body) { return read(body, Operation::responses)->has_hosted_tools; };
    EXPECT_FALSE(hosted(R"({"tools":[{"type":"function","function":{"type":"web_search"}},{"type":"custom"}]})"));
    EXPECT_FALSE(hosted(R"({"tools":[]})"));
    EXPECT_FALSE(hosted(R"({"tools":null,"web_search_options":null})"));
    EXPECT_TRUE(hosted(R"({"tools":[{"type":"function"},{"type":"web_search"}]})"));
    EXPECT_TRUE(hosted(R"({"tools":[{"name":"x"}]})"));
    EXPECT_TRUE(hosted(R"({"tools":["web_search"]})"));
    EXPECT_TRUE(hosted(R"({"web_search_options":{}})"));
    EXPECT_TRUE(hosted(R"({"input":[{"type":"additional_tools","tools":[{"type":"mcp"}]}]})"));
    EXPECT_EQ(verdict(R"({"tools":{}})"), "invalid_type/tools");
    EXPECT_EQ(verdict(R"({"tools":"x"})"), "invalid_type/tools");
}

TEST(RequestMeaning, row_64_remote_content_is_noticed_and_never_refused) {
    const auto remote = [](const std::string& body) { return read(body)->has_remote_content; };
    EXPECT_TRUE(
        remote(R"({"messages":[{"content":[{"type":"image_url","image_url":{"url":"http://169.254.169.254/"}}]}]})"));
    EXPECT_TRUE(remote(R"({"input":[{"role":"user","content":[{"type":"input_image","image_url":"file:///x"}]}]})"));
    EXPECT_TRUE(remote(R"({"messages":[{"content":[{"type":"file","file":{"file_id":"file-1"}}]}]})"));
    EXPECT_TRUE(remote(R"({"input":[{"content":[{"file_url":"https://x"}]}]})"));
    EXPECT_TRUE(remote(R"({"messages":[{"role":"assistant","audio":{"id":"audio_1"}}]})"));
    EXPECT_FALSE(remote(R"({"messages":[{"content":[{"image_url":{"url":"data:image/png;base64,AA"}}]}]})"));
    EXPECT_FALSE(remote(R"({"messages":[{"content":"see http://x","id":"m"}],"metadata":{"url":"http://x"}})"));
    EXPECT_FALSE(remote(R"({"messages":[{"annotations":[{"url_citation":{"url":"http://x"}}]}]})"));
    EXPECT_FALSE(remote(R"({"tools":[{"type":"function","parameters":{"url":"http://x"}}]})"));
}

TEST(RequestMeaning, base64_embeddings) {
    EXPECT_TRUE(read(R"({"encoding_format":"base64"})", Operation::embeddings)->wants_base64);
    EXPECT_FALSE(read(R"({"encoding_format":"float"})", Operation::embeddings)->wants_base64);
    EXPECT_FALSE(read(R"({"encoding_format":"base64"})", Operation::chat)->wants_base64);
}

TEST(RequestReader, unpadded_body_is_read_too) {
    std::string body = R"({"model":"m"})";
    body.shrink_to_fit();
    EXPECT_TRUE(RequestReader().read(body, Operation::chat));
}

TEST(RequestReader, refusal_leaves_the_reader_usable) {
    RequestReader reader;
    const std::string bad = R"({"a":[{"b":1,"b":2}]})";
    const std::string good = R"({"model":"m"})";
    for (const auto parser : {RequestReader::Parser::dom, RequestReader::Parser::on_demand}) {
        EXPECT_FALSE(reader.read(bad, Operation::chat, parser));
        const auto view = reader.read(good, Operation::chat, parser);
        ASSERT_TRUE(view);
        EXPECT_EQ(view->model, "m");
        EXPECT_EQ(view->members, 1U);
    }
}

} // namespace
} // namespace tollgate::api
