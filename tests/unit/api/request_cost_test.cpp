// What of a body its price depends on, as both parsers tell it; and a limit of the output put into a body.
#include "gateway/api/estimate.hpp"
#include "gateway/api/request_view.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace tollgate::api {
namespace {

RequestView view_of(const std::string& body, Operation operation = Operation::chat) {
    static RequestReader reader;
    const auto dom = reader.read(body, operation, RequestReader::Parser::dom);
    const auto streamed = reader.read(body, operation, RequestReader::Parser::on_demand);
    EXPECT_TRUE(dom && streamed) << body;
    if (!dom || !streamed) return {};
    EXPECT_EQ(dom->cost, streamed->cost) << body;
    EXPECT_EQ(dom->null_limit.offset, streamed->null_limit.offset) << body;
    return *dom;
}

RequestCost cost_of(const std::string& body, Operation operation = Operation::chat) {
    return view_of(body, operation).cost;
}

TEST(RequestCost, plain_text_has_no_cost_but_its_own) {
    EXPECT_EQ(cost_of(R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"n":null,
        "max_tokens":null,"service_tier":null,"modalities":["text"],"size":null,"n_predict":null,
        "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"image","image_url":"data:x"}}}],
        "response_format":{"type":"json_schema","json_schema":{"name":"audio","schema":{"image":{"type":"file"}}}}})"),
              RequestCost{});
    EXPECT_EQ(cost_of(R"({"model":"m","input":[{"type":"message","role":"user","content":[{"type":"input_text",
        "text":"a"}]},{"type":"reasoning","summary":[{"type":"summary_text","text":"b"}]},{"type":"function_call",
        "name":"f","arguments":"{\"image_url\":1}"},{"type":"function_call_output","output":"c"}]})",
                      Operation::responses),
              RequestCost{});
}

TEST(RequestCost, limits_and_counts_are_kept_apart) {
    const RequestCost cost =
        cost_of(R"({"max_tokens":1,"max_completion_tokens":2,"max_output_tokens":9223372036854775807,
        "n":2,"num_images":5,"candidate_count":3,"best_of":4,"max_tool_calls":6,"n_predict":7,"max_new_tokens":8})");
    EXPECT_EQ(cost.max_tokens, 1U);
    EXPECT_EQ(cost.max_completion_tokens, 2U);
    EXPECT_EQ(cost.max_output_tokens, 9'223'372'036'854'775'807U);
    EXPECT_EQ(cost.n, 5U) << "the largest";
    EXPECT_EQ(cost.best_of, 4U);
    EXPECT_EQ(cost.max_tool_calls, 6U);
    EXPECT_EQ(cost.foreign_max, 8U);
    for (const std::string value : {"-1", "1.5", "\"5\"", "true", "[5]", "{}", "18446744073709551615"})
        EXPECT_EQ(cost_of(R"({"n_predict":)" + value + "}").foreign_max, UINT64_MAX) << value;
}

TEST(RequestCost, prompts_and_their_numbers) {
    const auto completion = [](std::string prompt) {
        return cost_of(R"({"prompt":)" + prompt + "}", Operation::text_completion);
    };
    EXPECT_EQ(completion(R"("a")").prompts, 1U);
    EXPECT_EQ(completion(R"(["a","b","c"])").prompts, 3U);
    EXPECT_EQ(completion("[1,2,3]").prompts, 1U);
    EXPECT_EQ(completion("[1,2,3]").prompt_numbers, 3U);
    EXPECT_EQ(completion("[[1,2],[3],[]]").prompts, 3U);
    EXPECT_EQ(completion("[[1,2],[3],[]]").prompt_numbers, 3U);
    EXPECT_FALSE(completion(R"([[1,2],"a"])").prompt_numbers);
    EXPECT_FALSE(completion("[]").prompt_numbers);
    EXPECT_EQ(cost_of(R"({"input":["a","b"]})", Operation::embeddings).prompts, 2U);
    EXPECT_EQ(cost_of(R"({"input":["a","b"]})", Operation::responses).prompts, 1U);
    EXPECT_FALSE(cost_of(R"({"input":[1,2]})", Operation::responses).prompt_numbers);
}

TEST(RequestCost, media_by_kind_and_octets) {
    const auto part = [](std::string text) {
        return cost_of(R"({"messages":[{"role":"user","content":[)" + text + "]}]}");
    };
    const RequestCost image = part(R"({"type":"image_url","image_url":{"url":"data:image/png;base64,eA=="}})");
    EXPECT_TRUE(image.sees && !image.hears && image.inline_media);
    EXPECT_EQ(image.media_parts, 1U);
    EXPECT_EQ(image.media_octets, 26U);
    const RequestCost sound = part(R"({"type":"input_audio","input_audio":{"data":"eA==","format":"wav"}})");
    EXPECT_TRUE(!sound.sees && sound.hears && sound.inline_media);
    EXPECT_EQ(sound.media_octets, 4U);
    const RequestCost remote = part(R"({"type":"image_url","image_url":{"url":"https://example.com/x.png"}})");
    EXPECT_TRUE(remote.sees && !remote.hears && !remote.inline_media);
    EXPECT_EQ(remote.media_parts, 1U);
    for (const std::string unknown : {R"({"type":"file","file":{"file_data":"eA=="}})", R"({"type":"video"})",
                                      R"({"type":"tomorrow"})", R"({"file_data":"eA=="})"}) {
        const RequestCost cost = part(unknown);
        EXPECT_TRUE(cost.sees && cost.hears && cost.inline_media) << unknown;
    }
    EXPECT_TRUE(cost_of(R"({"model":"m","image_data":[{"data":"x"}]})").inline_media);
    EXPECT_TRUE(cost_of(R"({"prompt":"p","image":["eA=="]})", Operation::image).inline_media);
}

TEST(RequestCost, sound_asked_for_and_searches) {
    EXPECT_TRUE(cost_of(R"({"modalities":["text","audio"]})").speaks);
    EXPECT_TRUE(cost_of(R"({"audio":{"voice":"a","format":"wav"}})").speaks);
    EXPECT_TRUE(cost_of(R"({"web_search_options":{}})").only_search);
    EXPECT_FALSE(cost_of(R"({"web_search_options":{},"tools":[{"type":"mcp"}]})").only_search);
    EXPECT_FALSE(cost_of(R"({"tools":[{"type":"web_search"}]})").only_search);
}

// Row 26 for what only the price depends on.
TEST(RequestCost, case_variants_are_refused) {
    RequestReader reader;
    for (const std::string key : {"Service_Tier", "MODALITIES", "Max_Tool_Calls", "Prediction", "Size", "Quality",
                                  "Thinking", "Partial_Images"}) {
        const auto view = reader.read("{\"" + key + "\":1}", Operation::chat);
        ASSERT_FALSE(view) << key;
        EXPECT_EQ(view.error().status, 400) << key;
        EXPECT_EQ(view.error().param, key);
    }
}

TEST(BalancedEstimate, media_count_as_parts_and_not_as_octets) {
    RequestSize size{.body_octets = 4'000'100, .max_tokens = 1};
    size.content = Unbounded::inline_media;
    size.media_parts = 2;
    size.media_octets = 4'000'000;
    EXPECT_EQ(balanced_estimate(size, {}, {}, {}).input, 2'040U);
    EXPECT_EQ(balanced_estimate(size, {.context = 1'500}, {}, {}).input, 1'500U);
}

TEST(OutputLimit, each_operation_has_one_or_none) {
    const auto field = [](std::string_view path) {
        return output_limit_field(*find_route(Method::post, path).match->route);
    };
    EXPECT_EQ(field("/v1/chat/completions"), "max_completion_tokens");
    EXPECT_EQ(field("/v1/engines/davinci/completions"), "max_tokens");
    EXPECT_EQ(field("/v1/completions"), "max_tokens");
    EXPECT_EQ(field("/v1/responses"), "max_output_tokens");
    for (const std::string_view path : {"/v1/responses/compact", "/v1/edits", "/v1/embeddings", "/v1/audio/speech",
                                        "/v1/images/generations", "/v1/audio/transcriptions"})
        EXPECT_EQ(field(path), "") << path;
}

// The result means what the body meant, and a limit; the view describes it as if it had been read again.
void expect_inserted(const std::string& body, Operation operation, const std::string& expected) {
    RequestView view = view_of(body, operation);
    const std::string_view field = output_limit_field(operation);
    const std::string out = insert_max_tokens(body, view, field, 512);
    EXPECT_EQ(out, expected);
    boost::json::object meant = boost::json::parse(body).as_object();
    meant[field] = 512;
    EXPECT_EQ(boost::json::parse(out), boost::json::value(meant)) << out;

    const RequestView again = view_of(out, operation);
    EXPECT_EQ(view.members, again.members) << out;
    EXPECT_EQ(view.model_token.offset, again.model_token.offset) << out;
    EXPECT_EQ(view.model_token.length, again.model_token.length) << out;
    EXPECT_EQ(view.has_max_tokens, again.has_max_tokens) << out;
    EXPECT_EQ(view.cost, again.cost) << out;
    EXPECT_FALSE(view.null_limit.present() || again.null_limit.present()) << out;
}

TEST(InsertMaxTokens, adds_the_first_member_or_takes_the_place_of_null) {
    using enum Operation;
    expect_inserted("{}", chat, R"({"max_completion_tokens":512})");
    expect_inserted(" { } ", responses, R"( {"max_output_tokens":512 } )");
    expect_inserted(R"({"model":"m"})", text_completion, R"({"max_tokens":512,"model":"m"})");
    expect_inserted("\n{ \"messages\":[{}],\"model\" : \"m\"}", chat,
                    "\n{\"max_completion_tokens\":512, \"messages\":[{}],\"model\" : \"m\"}");
    expect_inserted(R"({"max_completion_tokens":null})", chat, R"({"max_completion_tokens":512})");
    expect_inserted(R"({"a":"null","max_completion_tokens" : null ,"model":"m"})", chat,
                    R"({"a":"null","max_completion_tokens" : 512 ,"model":"m"})");
    expect_inserted(R"({"model":"m","x":[null],"max_tok\u0065ns":null})", text_completion,
                    R"({"model":"m","x":[null],"max_tok\u0065ns":512})");
    expect_inserted(R"({"max_tokens":null,"model":"m"})", chat,
                    R"({"max_completion_tokens":512,"max_tokens":null,"model":"m"})");
}

TEST(InsertMaxTokens, leaves_what_is_no_object) {
    RequestView view;
    EXPECT_EQ(insert_max_tokens("", view, "max_tokens", 5), "");
    EXPECT_EQ(view.members, 0U);
}

// Row 26: whoever reads names in any letter case must not see a price where this gateway saw none.
TEST(RequestCost, names_with_a_price_are_refused_in_another_letter_case) {
    RequestReader reader;
    const auto refused = [&](const std::string& body, Operation operation) {
        for (const auto parser : {RequestReader::Parser::dom, RequestReader::Parser::on_demand}) {
            const auto view = reader.read(body, operation, parser);
            if (view || view.error().code != "invalid_value") return false;
        }
        return true;
    };
    const auto capital = [](std::string_view name) {
        std::string out(name);
        out.front() = static_cast<char>(out.front() - 'a' + 'A');
        return out;
    };
    for (const std::string_view name : priced_members()) {
        for (const Operation operation : {Operation::chat, Operation::responses, Operation::image})
            EXPECT_TRUE(refused("{\"" + capital(name) + "\":true}", operation)) << name;
    }
    for (const std::string_view name : {"n_predict", "enable_search", "speed", "thinking_budget", "image", "plugins"})
        EXPECT_NE(std::ranges::find(priced_members(), name), priced_members().end()) << name;
    for (const std::string body :
         {R"({"thinking":{"Budget_Tokens":1}})", R"({"reasoning":{"Mode":"pro"}})", R"({"reasoning":{"MAX_TOKENS":1}})",
          R"({"cache_control":{"TTL":"1h"}})", R"({"system":[{"type":"text","cache_control":{"Ttl":"1h"}}]})",
          R"({"messages":[{"role":"user","content":[{"type":"text","text":"a","Cache_Control":{"ttl":"1h"}}]}]})",
          R"({"tools":[{"type":"function","cache_Control":{"ttl":"1h"}}]})"})
        EXPECT_TRUE(refused(body, Operation::chat)) << body;
}

TEST(RequestCost, media_under_a_name_in_another_letter_case_are_media) {
    for (const std::string_view part :
         {R"({"type":"text","text":"a","Image_URL":{"url":"https://x/y"}})", R"({"Type":"image_url","IMAGE":"QUJD"})",
          R"({"type":"text","text":"a","File_Data":"QUJD"})",
          R"({"type":"text","text":"a","Input_Audio":{"data":"QUJD"}})"}) {
        const std::string body = R"({"model":"m","messages":[{"role":"user","content":[)" + std::string(part) + "]}]}";
        const RequestCost cost = cost_of(body);
        EXPECT_TRUE(cost.sees || cost.hears) << part;
        EXPECT_TRUE(cost.inline_media) << part;
    }
}

TEST(RequestCost, names_in_schemas_and_metadata_may_have_any_letter_case) {
    for (const std::string body :
         {R"({"tools":[{"type":"function","function":{"parameters":{"properties":{"Cache_Control":{}}}}}]})",
          R"({"metadata":{"Cache_Control":"a","Mode":"b"}})", R"({"stop":{"Budget_Tokens":1,"Mode":2}})",
          R"({"response_format":{"json_schema":{"schema":{"properties":{"Cache_Control":{"TTL":"1"}}}}}})"})
        EXPECT_EQ(cost_of(body).unpriced, "") << body;
}

} // namespace
} // namespace tollgate::api
