// What a strict budget refuses because nobody can say what it costs at most (reliability §3 rows 41, 42, 65; R34).
#include "tests/unit/exchange/ask_support.hpp"

namespace tollgate::exchange {
namespace {

using policy::PriceClass;

constexpr api::ModelSize kSized{.max_output = 1'000, .context = 100'000};
constexpr std::int64_t kCent = 10'000'000'000; // pico-USD

// Scenario 49.
TEST(AskRefusal, an_unpriced_model_under_a_strict_budget) {
    const Request request{.body = R"({"max_tokens":5})", .priced = false};
    EXPECT_EQ(verdict(request), "403 unpriced_model model");
    EXPECT_NE(ask(request).error().message.find("`m`"), std::string::npos);
    EXPECT_EQ(verdict({.path = "/v1/embeddings", .body = R"({"input":"a"})", .priced = false}),
              "403 unpriced_model model");
    EXPECT_EQ(verdict({.path = "/v1/moderations", .body = R"({"input":"a"})", .priced = false}), "ok")
        << "costs nothing where nobody declared a price";
}

TEST(AskRefusal, fields_that_no_price_list_speaks_of) {
    for (
        const auto& [field, member] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
            {"service_tier", R"("service_tier":"priority")"},
            {"service_tier", R"("service_tier":"fast")"},
            {"service_tier", R"("service_tier":{"x":1})"},
            {"service_tier", R"("service_tier":3)"},
            {"speed", R"("speed":"fast")"},
            {"inference_geo", R"("inference_geo":"us")"},
            {"plugins", R"("plugins":[{"id":"web"}])"},
            {"search_parameters", R"("search_parameters":{"mode":"on"})"},
            {"enable_search", R"("enable_search":true)"},
            {"mcp_servers", R"("mcp_servers":[])"},
            {"extra_body", R"("extra_body":{"max_tokens":100000})"},
            {"context_management", R"("context_management":[{"type":"compaction"}])"},
            {"modalities", R"("modalities":["text","image"])"},
            {"reasoning", R"("reasoning":{"mode":"pro"})"},
            {"cache_control",
             R"("messages":[{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}}]}])"},
            {"tools", R"("tools":[{"type":"image_generation"}])"}}) {
        EXPECT_EQ(verdict({.body = "{\"max_tokens\":5," + std::string(member) + "}", .model = kSized}),
                  "400 unpriced_field " + std::string(field))
            << member;
    }
    for (const std::string_view member :
         {R"("service_tier":"auto")", R"("service_tier":"flex")", R"("service_tier":null)", R"("enable_search":false)",
          R"("modalities":["text"])", R"("reasoning":{"effort":"high"})", R"("speed":1.5)", R"("extra_body":null)"})
        EXPECT_EQ(verdict({.body = "{\"max_tokens\":5," + std::string(member) + "}", .model = kSized}), "ok") << member;
}

TEST(AskRefusal, an_output_without_any_maximum) {
    EXPECT_EQ(verdict({.body = R"({"messages":[]})"}), "400 unbounded_cost max_completion_tokens");
    EXPECT_EQ(verdict({.path = "/v1/completions", .body = R"({"prompt":"x"})"}), "400 unbounded_cost max_tokens");
    EXPECT_EQ(verdict({.body = R"({"messages":[]})", .model = kSized}), "ok");
}

TEST(AskRefusal, what_is_generated_after_the_answer) {
    const std::string_view body = R"({"input":"x","max_output_tokens":5,"background":true})";
    EXPECT_EQ(verdict({.path = "/v1/responses", .body = std::string(body), .model = kSized}),
              "400 unbounded_cost background");
    EXPECT_EQ(verdict({.path = "/v1/responses",
                       .body = R"({"input":"x","max_output_tokens":5,"background":false})",
                       .model = kSized}),
              "ok");
}

TEST(AskRefusal, media_and_stored_context_of_a_model_without_a_context) {
    for (
        const std::string_view body :
        {R"({"max_tokens":5,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y"}}]}]})",
         R"({"max_tokens":5,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:a,b"}}]}]})",
         R"({"max_tokens":5,"messages":[{"role":"user","content":[{"image_url":"DATA:a,b"}]}]})",
         R"({"max_tokens":5,"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"eA=="}}]}]})",
         R"({"max_tokens":5,"messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"eA=="}}]}]})",
         R"({"max_tokens":5,"messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]})",
         R"({"max_tokens":5,"messages":[{"role":"user","content":[{"type":"a_type_of_tomorrow","x":"y"}]}]})"}) {
        EXPECT_EQ(verdict({.body = std::string(body)}), "400 unbounded_cost") << body;
        EXPECT_EQ(verdict({.body = std::string(body), .model = {.context = 1'000}}), "ok") << body;
        EXPECT_EQ(verdict({.body = std::string(body), .price = price_of({{PriceClass::output, kPerMillion}})}), "ok")
            << "the input costs nothing: " << body;
    }
    for (const std::string_view body :
         {R"({"max_output_tokens":5,"previous_response_id":"r"})", R"({"max_output_tokens":5,"conversation":"c"})",
          R"({"max_output_tokens":5,"prompt":{"id":"p"}})",
          R"({"max_output_tokens":5,"input":[{"type":"input_image","file_id":"f"}]})",
          R"({"max_output_tokens":5,"input":[{"type":"web_search_call","id":"w"}]})"})
        EXPECT_EQ(verdict({.path = "/v1/responses", .body = std::string(body)}), "400 unbounded_cost") << body;
    EXPECT_EQ(verdict({.path = "/v1/embeddings", .body = R"({"input":["data:image/png;base64,eA=="]})"}),
              "400 unbounded_cost");
    EXPECT_EQ(verdict({.path = "/v1/moderations",
                       .body = R"({"input":[{"type":"image_url","image_url":{"url":"https://x/y"}}]})"}),
              "400 unbounded_cost");
}

TEST(AskRefusal, hosted_tools_without_a_bound_or_a_price) {
    const policy::PriceEntry tools = price_of({{PriceClass::input, kPerMillion}, {PriceClass::tool_call, kCent}});
    const std::string search = R"("tools":[{"type":"web_search"}])";
    const auto with = [&](std::string_view more, const policy::PriceEntry& price, api::ModelSize model = kSized) {
        return Request{.path = "/v1/responses",
                       .body = "{\"max_output_tokens\":5,\"input\":\"x\"" + std::string(more) + "," + search + "}",
                       .model = model,
                       .price = price};
    };
    EXPECT_EQ(verdict(with("", tools)), "400 unbounded_cost tools");
    EXPECT_EQ(verdict(with(R"(,"max_tool_calls":2)", usual_price())), "400 unbounded_cost tools");
    EXPECT_EQ(verdict(with(R"(,"max_tool_calls":2)", tools, {.max_output = 5})), "400 unbounded_cost");
    EXPECT_EQ(verdict(with(R"(,"max_tool_calls":2)", tools)), "ok");
    EXPECT_EQ(verdict(with(R"(,"max_tool_calls":2,"web_search_options":{})", tools)), "ok");
    EXPECT_EQ(verdict(with(R"(,"max_tool_calls":9223372036854775807)", tools)), "400 unbounded_cost");
    EXPECT_EQ(verdict({.body = R"({"max_tokens":5,"web_search_options":{},"tools":[{"type":"other"}]})",
                       .model = kSized,
                       .price = tools}),
              "400 unbounded_cost tools");
    EXPECT_EQ(verdict({.body = R"({"max_tokens":5,"tools":[{"type":"function","function":{"name":"f"}}]})"}), "ok");
}

TEST(AskRefusal, output_without_a_limit_where_none_can_be_put_in) {
    EXPECT_EQ(verdict({.path = "/v1/edits", .body = R"({"input":"a","max_tokens":5})"}), "400 unbounded_cost");
    EXPECT_EQ(verdict({.path = "/v1/responses/compact", .body = R"({"input":"a"})"}), "400 unbounded_cost");
    EXPECT_EQ(verdict({.path = "/v1/audio/speech", .body = R"({"input":"a"})"}), "400 unbounded_cost");
    EXPECT_EQ(verdict({.path = "/v1/images/generations", .body = R"({"prompt":"a"})"}), "400 unbounded_cost");
    EXPECT_EQ(verdict({.body = R"({"n_predict":5})"}), "400 unbounded_cost max_completion_tokens");
    EXPECT_EQ(verdict({.body = R"({"n_predict":-1,"max_tokens":5})"}), "400 unbounded_cost") << "without limit";
    EXPECT_EQ(verdict({.path = "/v1/completions", .body = R"({"prompt":"a","max_new_tokens":"all"})"}),
              "400 unbounded_cost max_tokens");
    EXPECT_EQ(verdict({.path = "/v1/audio/speech",
                       .body = R"({"input":"a"})",
                       .price = price_of({{PriceClass::input, kPerMillion}})}),
              "ok")
        << "the output costs nothing";
    EXPECT_EQ(verdict({.body = R"({"max_tokens":9223372036854775807,"n":128})"}), "400 unbounded_cost");
    EXPECT_EQ(verdict({.body = R"({"max_tokens":9223372036854775807})"}), "400 unbounded_cost") << "2^63 − 1 × price";
}

TEST(AskRefusal, dear_images_at_a_price_by_the_piece) {
    const policy::PriceEntry by_piece = price_of({{PriceClass::image, kCent}});
    const auto image = [&](std::string_view more) {
        return verdict({.path = "/v1/images/generations",
                        .body = "{\"prompt\":\"a\"" + std::string(more) + "}",
                        .price = by_piece});
    };
    for (const std::string_view usual : {"", R"(,"n":10)", R"(,"size":"auto","quality":"low")",
                                         R"(,"size":"512x512","quality":"standard")", R"(,"size":"1024x1024")"})
        EXPECT_EQ(image(usual), "ok") << usual;
    EXPECT_EQ(image(R"(,"quality":"hd")"), "400 unpriced_field quality");
    EXPECT_EQ(image(R"(,"size":"1024x1792")"), "400 unpriced_field size");
    EXPECT_EQ(image(R"(,"size":"huge")"), "400 unpriced_field size");
    EXPECT_EQ(image(R"(,"frame_count":8)"), "400 unpriced_field frame_count");
    EXPECT_EQ(image(R"(,"partial_images":-1)"), "400 unbounded_cost");
}

TEST(AskRefusal, forms_unless_priced_by_the_request_alone) {
    for (const std::string_view path :
         {"/v1/audio/transcriptions", "/v1/audio/translations", "/v1/images/edits", "/v1/images/variations"}) {
        for (const PriceClass c : {PriceClass::input, PriceClass::audio_second, PriceClass::image, PriceClass::output})
            EXPECT_EQ(verdict({.path = std::string(path), .model = kSized, .price = price_of({{c, 1}}), .octets = 9}),
                      "400 unbounded_cost")
                << path;
        EXPECT_EQ(verdict({.path = std::string(path), .price = price_of({{PriceClass::request, kCent}}), .octets = 9}),
                  "ok")
            << path;
        EXPECT_EQ(verdict({.path = std::string(path), .priced = false}), "403 unpriced_model model") << path;
    }
}

TEST(AskRefusal, what_is_billed_later) {
    for (const std::string_view path : {"/v1/batches", "/v1/fine_tuning/jobs", "/v1/vector_stores"})
        EXPECT_EQ(verdict({.path = std::string(path), .body = R"({"model":"m"})"}), "400 unbounded_cost") << path;
}

} // namespace
} // namespace tollgate::exchange
