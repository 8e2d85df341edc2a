// What requests reserve: request × model × price → exact amounts (limits-cache §1.2, reliability R34).
#include "tests/unit/exchange/ask_support.hpp"

namespace tollgate::exchange {
namespace {

using policy::PriceClass;
using policy::quota::kMaxNano;
using policy::quota::kMaxTokens;

constexpr api::ModelSize kSized{.max_output = 1'000, .context = 100'000};

struct Row {
    std::string_view what;
    Request request;
    std::int64_t input;
    std::int64_t output;
    std::int64_t nano;
};

// Octets are given, so that the figures are round: input costs 1,000, output 4,000 nano-USD a token.
std::vector<Row> rows() {
    const std::string text = R"("messages":[{"role":"user","content":"hi"}])";
    const auto chat = [&](std::string_view more, api::ModelSize model = {}) {
        return Request{.body = "{" + std::string(more) + text + "}", .model = model, .octets = 100};
    };
    const auto to = [&](std::string_view path, std::string_view body, api::ModelSize model = {}) {
        return Request{.path = std::string(path), .body = std::string(body), .model = model, .octets = 100};
    };
    const std::string image =
        R"({"max_tokens":10,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:a,b"}}]}]})";
    std::vector<Row> out{
        {"a maximum", chat(R"("max_tokens":50,)"), 100, 50, 300'000},
        {"the largest of both (scenario 10)", chat(R"("max_tokens":10,"max_completion_tokens":5000,)"), 100, 5'000,
         20'100'000},
        {"n answers (scenario 11)", chat(R"("n":4,"max_tokens":100,)"), 100, 400, 1'700'000},
        {"n=128", chat(R"("n":128,"max_completion_tokens":100,)"), 100, 12'800, 51'300'000},
        {"the model's own maximum", chat("", kSized), 100, 1'000, 4'100'000},
        {"a maximum of another dialect only adds", chat(R"("max_tokens":10,"max_output_tokens":70,)"), 100, 70,
         380'000},
        {"… and bounds nothing by itself", chat(R"("max_output_tokens":70,)", kSized), 100, 1'000, 4'100'000},
        {"llama.cpp's maximum wins there", chat(R"("max_tokens":10,"n_predict":300,)"), 100, 300, 1'300'000},
        {"reasoning beside the maximum", chat(R"("max_tokens":10,"thinking":{"type":"enabled","budget_tokens":90},)"),
         100, 100, 500'000},
        {"a rejected prediction", chat(R"("max_tokens":10,"prediction":{"type":"content","content":"0123456789"},)"),
         100, 27, 208'000}, // the octets of its type are counted with it
        {"best_of bills all candidates", to("/v1/completions", R"({"prompt":"x","n":2,"best_of":5,"max_tokens":10})"),
         100, 50, 300'000},
        {"a list of prompts", to("/v1/completions", R"({"prompt":["x","y","z"],"n":2,"max_tokens":10})"), 100, 60,
         340'000},
        {"token numbers are counted", to("/v1/completions", R"({"prompt":[[1,2,3],[4]],"max_tokens":10})"), 4, 20,
         84'000},
        {"… unless text stands beside them", to("/v1/completions", R"({"prompt":[1,2],"suffix":"x","max_tokens":1})"),
         100, 1, 104'000},
        {"one prompt of numbers", to("/v1/embeddings", R"({"input":[15339,1917]})"), 2, 0, 2'000},
        {"embeddings have no output", to("/v1/embeddings", R"({"input":["a","b"],"max_tokens":9})", kSized), 100, 0,
         100'000},
        {"moderation", to("/v1/moderations", R"({"input":"a"})"), 100, 0, 100'000},
        {"responses", to("/v1/responses", R"({"input":"a","max_output_tokens":16})"), 100, 16, 164'000},
        {"compact has no maximum of its own",
         to("/v1/responses/compact", R"({"input":"a","max_output_tokens":16})", kSized), 100, 1'000, 4'100'000},
        {"edits neither", to("/v1/edits", R"({"input":"a","instruction":"b","max_tokens":1})", kSized), 100, 1'000,
         4'100'000},
        {"a stored context fills the window",
         to("/v1/responses", R"({"previous_response_id":"r","max_output_tokens":1})", kSized), 100'000, 1, 100'004'000},
        {"an image fills the window", {.body = image, .model = kSized}, 100'000, 10, 100'040'000},
        {"speech", to("/v1/audio/speech", R"({"input":"a","voice":"b"})", kSized), 100, 1'000, 4'100'000},
        {"images by tokens", to("/v1/images/generations", R"({"prompt":"a","n":2,"quality":"high"})", kSized), 100,
         2'000, 8'100'000},
        {"… with the partial ones", to("/v1/images/generations", R"({"prompt":"a","n":2,"partial_images":3})", kSized),
         100, 8'000, 32'100'000},
    };
    const auto with_price = [](Request request, Cards cards) {
        request.price = price_of(cards);
        return request;
    };
    constexpr std::int64_t kCent = 10'000'000'000; // pico-USD
    out.push_back({"images by the piece",
                   with_price(to("/v1/images/generations", R"({"prompt":"a","n":3,"size":"1024x1024"})"),
                              {{PriceClass::image, 4 * kCent}}),
                   100, 1'024 * 3, 120'000'000});
    out.push_back({"a form priced by the request",
                   with_price({.path = "/v1/audio/transcriptions", .octets = 100}, {{PriceClass::request, kCent}}),
                   1'000, 1'024, 10'000'000});
    out.push_back({"sound in and out at its own price",
                   with_price({.body = R"({"max_tokens":10,"modalities":["text","audio"],"messages":[{"role":"user",
                                       "content":[{"type":"input_audio","input_audio":{"data":"eA=="}}]}]})",
                               .model = kSized},
                              {{PriceClass::input, kPerMillion},
                               {PriceClass::output, kPerMillion},
                               {PriceClass::audio_in, 32 * kPerMillion},
                               {PriceClass::audio_out, 64 * kPerMillion},
                               {PriceClass::image_in, 500 * kPerMillion}}),
                   100'000, 10, 3'200'640'000});
    out.push_back({"text does not pay for sound",
                   with_price(chat(R"("max_tokens":10,)"), {{PriceClass::input, kPerMillion},
                                                            {PriceClass::output, kPerMillion},
                                                            {PriceClass::audio_in, 32 * kPerMillion},
                                                            {PriceClass::audio_out, 64 * kPerMillion}}),
                   100, 10, 110'000});
    const Cards tools{
        {PriceClass::input, kPerMillion}, {PriceClass::output, kPerMillion}, {PriceClass::tool_call, kCent}};
    out.push_back({"hosted tools: a context for each run, and the calls",
                   with_price(to("/v1/responses",
                                 R"({"input":"a","tools":[{"type":"web_search"}],"max_tool_calls":3,
                                     "max_output_tokens":10})",
                                 kSized),
                              tools),
                   400'000, 10, 430'010'000});
    out.push_back({"one search for an answer",
                   with_price(chat(R"("web_search_options":{},"max_tokens":10,)", kSized), tools), 200'000, 10,
                   210'010'000});
    return out;
}

TEST(Ask, upper_bounds_by_table) {
    for (const Row& row : rows()) {
        const auto result = ask(row.request);
        ASSERT_TRUE(result) << row.what << ": " << result.error().message;
        EXPECT_EQ(result->upper, (policy::quota::Estimate{row.input, row.output, row.nano})) << row.what;
        ASSERT_TRUE(result->expected) << row.what;
        EXPECT_LE(result->expected->input, row.input) << row.what;
        EXPECT_LE(result->expected->output, row.output) << row.what;
        EXPECT_LE(result->expected->nano, row.nano) << row.what;
        EXPECT_TRUE(policy::quota::plausible(result->upper)) << row.what;
    }
}

TEST(Ask, embeddings_of_ten_mebibytes) {
    std::string body = R"({"input":[")";
    body += std::string(10 * 1024 * 1024, 'a') + "\"]}";
    const auto result = ask({.path = "/v1/embeddings", .body = body, .model = kSized});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->upper.input, static_cast<std::int64_t>(body.size()));
    EXPECT_EQ(result->upper.nano, static_cast<std::int64_t>(body.size()) * 1'000);
    EXPECT_LT(result->expected->input, result->upper.input);
}

TEST(Ask, the_dearest_tier_the_input_can_reach_counts) {
    Request request{.body = R"({"max_tokens":10})", .octets = 300'000};
    request.price.tiers.push_back(
        {272'000, price_of({{PriceClass::input, 2 * kPerMillion}, {PriceClass::output, 6 * kPerMillion}}).rates});
    EXPECT_EQ(ask(request)->upper.nano, 300'000 * 2'000 + 10 * 6'000);
    request.octets = 272'000;
    EXPECT_EQ(ask(request)->upper.nano, 272'000 * 1'000 + 10 * 4'000);
}

TEST(Ask, what_is_free_asks_for_one_request_and_a_slot) {
    for (const std::string_view path : {"/v1/responses/input_tokens", "/v1/files", "/v1/uploads"}) {
        const auto result = ask({.path = std::string(path), .priced = false, .octets = 1'000'000});
        ASSERT_TRUE(result) << path;
        EXPECT_EQ(result->upper, policy::quota::Estimate{}) << path;
        EXPECT_EQ(result->requests, 1) << path;
        EXPECT_FALSE(result->open_output) << path;
    }
    EXPECT_TRUE(ask({.path = "/v1/batches", .strict = false}));
}

TEST(Ask, an_open_output_is_priced_by_the_token) {
    Request request{.body = R"({"n":3,"messages":[]})", .model = kSized, .octets = 100};
    auto result = ask(request);
    ASSERT_TRUE(result && result->open_output);
    EXPECT_EQ(result->upper.output, 3'000);
    EXPECT_EQ(result->open_output->choices, 3);
    EXPECT_EQ(result->open_output->fixed_pico, 100 * kPerMillion);
    EXPECT_EQ(result->open_output->output_pico, 4 * kPerMillion);
    EXPECT_EQ(result->expected->output, 3'000);

    request.strict = false;
    request.model = {};
    result = ask(request);
    ASSERT_TRUE(result);
    EXPECT_FALSE(result->open_output) << "nobody knows a maximum that the provider would take";
    EXPECT_EQ(result->upper.output, 3'072);

    for (const std::string_view body : {R"({"max_tokens":1})", R"({"max_completion_tokens":1})", R"({"n_predict":5})",
                                        R"({"thinking":{"budget_tokens":5}})"}) {
        request = {.body = std::string(body), .model = kSized};
        EXPECT_FALSE(ask(request)->open_output) << body;
    }
    for (const std::string_view path :
         {"/v1/completions", "/v1/embeddings", "/v1/edits", "/v1/audio/speech", "/v1/responses/compact"})
        EXPECT_FALSE(
            ask({.path = std::string(path), .body = R"({"input":"x","prompt":"x"})", .model = kSized})->open_output)
            << path;
}

// A budget that has room for some of it caps the output, and the reserve is then exactly what is left.
TEST(Ask, a_budget_caps_an_open_output) {
    const auto result = ask({.body = R"({"n":2,"messages":[]})", .model = kSized, .octets = 100});
    ASSERT_TRUE(result);
    policy::quota::CounterState budget;
    budget.dimension = policy::quota::Dimension::money;
    budget.limit = budget.capacity = 100'000 + 2 * 500 * 4'000 + 7'999; // nano: two answers of 500 tokens and no more
    budget.resets = WallTime::max();
    std::array<policy::quota::Verdict, 1> verdicts{};
    const auto decision = policy::quota::decide(std::array{budget}, *result, {}, verdicts);
    ASSERT_TRUE(decision.admitted);
    EXPECT_EQ(decision.output_cap, 500);
    EXPECT_EQ(decision.upper.nano, 100'000 + 2 * 500 * 4'000);
}

TEST(Ask, without_a_strict_budget_nothing_is_refused_and_figures_stay_plausible) {
    for (const Request& request : std::initializer_list<Request>{
             {.body = R"({"max_tokens":9223372036854775807,"n":128})", .strict = false},
             {.body = R"({"max_tokens":5,"service_tier":"priority"})", .strict = false},
             {.body = R"({"max_tokens":5})", .strict = false, .priced = false},
             {.path = "/v1/audio/transcriptions", .strict = false, .octets = 25'000'000},
             {.path = "/v1/images/generations", .body = R"({"prompt":"x","partial_images":-1})", .strict = false},
             {.path = "/v1/responses",
              .body = R"({"input":[],"tools":[{"type":"web_search"}],"max_tool_calls":9223372036854775807})",
              .model = kSized,
              .strict = false}}) {
        const auto result = ask(request);
        ASSERT_TRUE(result) << request.body;
        EXPECT_TRUE(policy::quota::plausible(result->upper)) << request.body;
        EXPECT_TRUE(policy::quota::plausible(*result->expected)) << request.body;
        if (result->open_output) EXPECT_LE(result->open_output->fixed_pico, policy::quota::Wide{kMaxNano} * 1'000);
    }
}

} // namespace
} // namespace tollgate::exchange
