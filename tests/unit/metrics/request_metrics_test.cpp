#include "metrics/request_metrics.hpp"

#include "metrics/vocabulary.hpp"
#include "tests/unit/metrics/support.hpp"

#include <gtest/gtest.h>

namespace tollgate::metrics {
namespace {

using namespace std::chrono_literals;
using test::lines_of;
using test::small_vocabulary;
using test::value_of;

RequestRecord chat_record() {
    RequestRecord record;
    record.total = 1840ms;
    record.upstream = 1830ms;
    record.method = "POST";
    record.route = "/v1/chat/completions";
    record.operation = "chat";
    record.user_agent = "OpenAI/Python 1.99.1";
    record.key_id = "k_one";
    record.team = "search";
    record.model = "gpt-fast";
    record.model_index = 1;
    record.status = 200;
    record.bytes_in = 300;
    record.bytes_out = 9000;
    record.input_tokens = 812;
    record.output_tokens = 164;
    record.attempts[0] = {.upstream = "openai-eu", .duration = 1830ms, .status = 200, .upstream_index = 1};
    record.attempt_count = 1;
    return record;
}

class RequestMetricsTest : public ::testing::Test {
  protected:
    RequestMetricsTest() { metrics.use(small_vocabulary()); }
    std::string expose() { return registry.expose(); }
    std::string value(std::string_view series) { return value_of(registry.expose(), series); }

    Registry registry;
    RequestMetrics metrics{registry, registry.make_shard()};
};

TEST_F(RequestMetricsTest, success_is_counted_in_every_view_once) {
    metrics.started("chat");
    EXPECT_EQ(value(R"(tollgate_requests_in_flight{operation="chat"})"), "1");
    metrics.record(chat_record());
    const std::string text = expose();
    EXPECT_EQ(value_of(text, R"(tollgate_requests_in_flight{operation="chat"})"), "0");
    EXPECT_EQ(
        value_of(text,
                 R"(tollgate_requests_total{operation="chat",model="gpt-fast",stream="false",outcome="success"})"),
        "1");
    EXPECT_EQ(
        value_of(text,
                 R"(tollgate_requests_total{operation="chat",model="gpt-fast",stream="false",outcome="rejected"})"),
        "0");
    EXPECT_EQ(
        value_of(
            text,
            R"(tollgate_http_requests_total{listener="api",route="/v1/chat/completions",method="POST",code="200"})"),
        "1");
    EXPECT_EQ(value_of(text, R"(tollgate_client_requests_total{client="openai-python",operation="chat"})"), "1");
    EXPECT_EQ(
        value_of(text, R"(tollgate_request_duration_seconds_sum{operation="chat",model="gpt-fast",stream="false"})"),
        "1.84");
    EXPECT_EQ(value_of(text, R"(tollgate_gateway_overhead_seconds_sum{operation="chat",stream="false"})"), "0.01");
    EXPECT_EQ(value_of(text, R"(tollgate_request_body_bytes_sum{operation="chat"})"), "300");
    EXPECT_EQ(value_of(text, R"(tollgate_response_body_bytes_sum{operation="chat"})"), "9000");
    EXPECT_EQ(value_of(text, R"(tollgate_tokens_total{model="gpt-fast",provider="openai-eu",type="input"})"), "812");
    EXPECT_EQ(value_of(text, R"(tollgate_tokens_total{model="gpt-fast",provider="openai-eu",type="output"})"), "164");
    EXPECT_EQ(value_of(text, R"(tollgate_team_requests_total{team="search",model="gpt-fast",outcome="success"})"), "1");
    EXPECT_EQ(value_of(text, R"(tollgate_key_requests_total{key="k_one",team="search",outcome="success"})"), "1");
    EXPECT_EQ(
        value_of(
            text,
            R"(tollgate_upstream_attempts_total{upstream="openai-eu",model="gpt-fast",stream="false",result="success",error_type=""})"),
        "1");
    EXPECT_EQ(
        value_of(text, R"(tollgate_upstream_request_duration_seconds_sum{upstream="openai-eu",model="gpt-fast"})"),
        "1.83");
    EXPECT_EQ(lines_of(text, {"tollgate_errors_total", "tollgate_upstream_retries", "tollgate_stream_interruptions",
                              "tollgate_limit_", "tollgate_cache_"}),
              "");
}

TEST_F(RequestMetricsTest, money_and_its_parts_are_counted_in_every_view) {
    RequestRecord record = chat_record();
    record.cost = 1'500'000'000;
    record.cost_components[CostComponent::input] = 1'000'000'000;
    record.cost_components[CostComponent::cache_read] = 500'000'000;
    record.token_details[TokenDetail::cache_read] = 300;
    metrics.record(record);
    metrics.record(record);
    const std::string text = expose();
    const auto of = [&](std::string_view series) { return value_of(text, series); };
    EXPECT_EQ(of(R"(tollgate_cost_usd_total{model="gpt-fast",provider="openai-eu",component="input"})"), "2");
    EXPECT_EQ(of(R"(tollgate_cost_usd_total{model="gpt-fast",provider="openai-eu",component="cache_read"})"), "1");
    EXPECT_EQ(of(R"(tollgate_cost_usd_total{model="gpt-fast",provider="openai-eu",component="output"})"), "0");
    EXPECT_EQ(of(R"(tollgate_token_details_total{model="gpt-fast",provider="openai-eu",detail="cache_read"})"), "600");
    EXPECT_EQ(of(R"(tollgate_team_cost_usd_total{team="search",model="gpt-fast"})"), "3");
    EXPECT_EQ(of(R"(tollgate_team_tokens_total{team="search",model="gpt-fast",type="input"})"), "1624");
    EXPECT_EQ(of(R"(tollgate_key_cost_usd_total{key="k_one",team="search"})"), "3");
    EXPECT_EQ(of(R"(tollgate_key_tokens_total{key="k_one",team="search",type="output"})"), "328");
}

// Its tokens were billed once before, to whoever asked first.
TEST_F(RequestMetricsTest, a_hit_adds_no_tokens_to_the_views) {
    RequestRecord record = chat_record();
    record.attempt_count = 0;
    record.cache = CacheResult::hit;
    metrics.record(record);
    EXPECT_EQ(value(R"(tollgate_team_tokens_total{team="search",model="gpt-fast",type="input"})"), "0");
    EXPECT_EQ(value(R"(tollgate_team_requests_total{team="search",model="gpt-fast",outcome="success"})"), "1");
}

TEST_F(RequestMetricsTest, work_without_a_price_is_counted) {
    RequestRecord record = chat_record();
    record.unpriced = true;
    metrics.record(record);
    EXPECT_EQ(value(R"(tollgate_unpriced_requests_total{model="gpt-fast",reason="model_not_in_table"})"), "1");
}

TEST_F(RequestMetricsTest, stream_feeds_first_token_and_gap) {
    RequestRecord record = chat_record();
    record.stream = true;
    record.first_token = 402ms;
    record.max_gap = 1500ms;
    record.attempts[0].first_token = 400ms;
    metrics.record(record);
    const std::string text = expose();
    EXPECT_EQ(value_of(text, R"(tollgate_time_to_first_token_seconds_sum{operation="chat",model="gpt-fast"})"),
              "0.402");
    EXPECT_EQ(value_of(text, R"(tollgate_stream_max_gap_seconds_bucket{operation="chat",le="1"})"), "0");
    EXPECT_EQ(value_of(text, R"(tollgate_stream_max_gap_seconds_bucket{operation="chat",le="2.5"})"), "1");
    EXPECT_EQ(
        value_of(text, R"(tollgate_upstream_time_to_first_token_seconds_sum{upstream="openai-eu",model="gpt-fast"})"),
        "0.4");
    EXPECT_EQ(
        value_of(text, R"(tollgate_requests_total{operation="chat",model="gpt-fast",stream="true",outcome="success"})"),
        "1");
}

TEST_F(RequestMetricsTest, stream_tells_what_a_token_took_after_the_first) {
    RequestRecord record = chat_record();
    record.stream = true;
    record.first_token = 402ms;
    record.total = 1402ms;
    record.output_tokens = 11;
    metrics.record(record);
    record.outcome = Outcome::client_cancelled; // nobody knows how many it would have been
    metrics.record(record);
    record.outcome = Outcome::success;
    record.output_tokens = 1;
    metrics.record(record);
    record.output_tokens = 11;
    record.attempt_count = 0; // told from the cache
    metrics.record(record);
    const std::string name = R"(tollgate_time_per_output_token_seconds)", of = R"({operation="chat",model="gpt-fast"})";
    EXPECT_EQ(value(name + "_sum" + of), "0.1");
    EXPECT_EQ(value(name + "_count" + of), "1");
}

TEST_F(RequestMetricsTest, tokens_and_cost_of_a_request_are_distributions) {
    RequestRecord record = chat_record();
    record.input_tokens = 300;
    record.output_tokens = 20;
    record.cost = 2'000'000;
    metrics.record(record);
    record.attempt_count = 0; // told from the cache: nothing was used
    record.served_input = 300;
    record.served_output = 20;
    metrics.record(record);
    const std::string tokens = R"(tollgate_request_tokens_bucket{operation="chat",model="gpt-fast",type=)";
    EXPECT_EQ(value(tokens + R"("input",le="256"})"), "0");
    EXPECT_EQ(value(tokens + R"("input",le="1024"})"), "1");
    EXPECT_EQ(value(tokens + R"("output",le="64"})"), "1");
    EXPECT_EQ(value(R"(tollgate_request_cost_usd_bucket{model="gpt-fast",le="0.001"})"), "0");
    EXPECT_EQ(value(R"(tollgate_request_cost_usd_bucket{model="gpt-fast",le="0.005"})"), "1");
    EXPECT_EQ(value(R"(tollgate_request_cost_usd_sum{model="gpt-fast"})"), "0.002");
    EXPECT_EQ(value(R"(tollgate_cache_served_tokens_total{model="gpt-fast",type="input"})"), "300");
    EXPECT_EQ(value(R"(tollgate_cache_served_tokens_total{model="gpt-fast",type="output"})"), "20");
}

TEST_F(RequestMetricsTest, retried_request_counts_attempts_apart_from_the_operation) {
    RequestRecord record = chat_record();
    record.attempts[1] = record.attempts[0];
    record.attempts[0] = {.upstream = "azure-eu",
                          .duration = 210ms,
                          .status = 429,
                          .error = ErrorType::provider_rate_limited,
                          .upstream_index = 0};
    record.attempt_count = 2;
    metrics.record(record);
    const std::string text = expose();
    EXPECT_EQ(
        value_of(
            text,
            R"(tollgate_upstream_attempts_total{upstream="azure-eu",model="gpt-fast",stream="false",result="error",error_type="provider_rate_limited"})"),
        "1");
    EXPECT_EQ(
        value_of(
            text,
            R"(tollgate_upstream_attempts_total{upstream="openai-eu",model="gpt-fast",stream="false",result="success",error_type=""})"),
        "1");
    EXPECT_EQ(lines_of(text, {"tollgate_upstream_retries_total{"}),
              "tollgate_upstream_retries_total{upstream=\"azure-eu\",reason=\"provider_rate_limited\"} 1\n");
    EXPECT_EQ(
        value_of(text,
                 R"(tollgate_requests_total{operation="chat",model="gpt-fast",stream="false",outcome="success"})"),
        "1");
    EXPECT_EQ(value_of(text, R"(tollgate_tokens_total{model="gpt-fast",provider="openai-eu",type="input"})"), "812");
}

TEST_F(RequestMetricsTest, rejection_by_a_limit_names_scope_and_error) {
    RequestRecord record = chat_record();
    record.outcome = Outcome::rejected;
    record.error = ErrorType::policy_rate_limited;
    record.status = 429;
    record.limit_scope = "team";
    record.limit_name = "rpm";
    record.attempt_count = 0;
    record.model = {};
    record.model_index = kOtherModel;
    metrics.record(record);
    const std::string text = expose();
    EXPECT_EQ(value_of(text, R"(tollgate_limit_rejections_total{scope="team",limit="rpm",mode="enforced"})"), "1");
    EXPECT_EQ(
        value_of(
            text,
            R"(tollgate_errors_total{operation="chat",model="other",error_type="policy_rate_limited",code="429"})"),
        "1");
    EXPECT_EQ(value_of(text, R"(tollgate_key_requests_total{key="k_one",team="search",outcome="rejected"})"), "1");
    EXPECT_EQ(lines_of(text, {"tollgate_tokens_total", "tollgate_upstream_attempts"}), "");
}

TEST_F(RequestMetricsTest, failure_without_a_type_or_a_status_is_visible) {
    RequestRecord record = chat_record();
    record.outcome = Outcome::gateway_error;
    record.status = 0;
    metrics.record(record);
    EXPECT_EQ(value(R"(tollgate_errors_total{operation="chat",model="gpt-fast",error_type="_OTHER",code="none"})"),
              "1");
    EXPECT_EQ(
        value(R"(tollgate_http_requests_total{listener="api",route="/v1/chat/completions",method="POST",code="none"})"),
        "1");
}

TEST_F(RequestMetricsTest, different_errors_of_one_model_stay_apart) {
    RequestRecord record = chat_record();
    record.outcome = Outcome::upstream_error;
    for (std::size_t i = 0; i < kErrorTypeCount; ++i) {
        record.error = static_cast<ErrorType>(i);
        record.status = 500 + static_cast<int>(i % 4);
        metrics.record(record);
    }
    const std::string text = expose();
    for (std::size_t i = 0; i < kErrorTypeCount; ++i) {
        const std::string series = "tollgate_errors_total{operation=\"chat\",model=\"gpt-fast\",error_type=\"" +
                                   std::string(to_string(static_cast<ErrorType>(i))) + "\",code=\"" +
                                   std::to_string(500 + i % 4) + "\"}";
        EXPECT_EQ(value_of(text, series), "1") << series;
    }
}

TEST_F(RequestMetricsTest, broken_streams_name_the_side) {
    RequestRecord record = chat_record();
    record.stream = true;
    record.outcome = Outcome::client_cancelled;
    record.attempts[0].cancelled = true;
    metrics.record(record);
    record.outcome = Outcome::upstream_error;
    record.error = ErrorType::provider_stream_broken;
    metrics.record(record);
    record.status = 502; // nothing was streamed
    metrics.record(record);
    const std::string text = expose();
    EXPECT_EQ(
        value_of(
            text,
            R"(tollgate_stream_interruptions_total{upstream="openai-eu",side="client",reason="caller_cancelled"})"),
        "1");
    EXPECT_EQ(
        value_of(
            text,
            R"(tollgate_stream_interruptions_total{upstream="openai-eu",side="upstream",reason="provider_stream_broken"})"),
        "1");
    EXPECT_EQ(
        value_of(
            text,
            R"(tollgate_upstream_attempts_total{upstream="openai-eu",model="gpt-fast",stream="true",result="cancelled",error_type="caller_cancelled"})"),
        "3");
}

TEST_F(RequestMetricsTest, request_without_operation_touches_only_http) {
    RequestRecord record;
    record.status = 404;
    metrics.record(record);
    const std::string text = expose();
    EXPECT_EQ(lines_of(text, {"tollgate_http_requests_total{"}),
              "tollgate_http_requests_total{listener=\"api\",route=\"unmatched\",method=\"other\",code=\"404\"} 1\n");
    EXPECT_EQ(lines_of(text, {"tollgate_requests", "tollgate_request_", "tollgate_errors", "tollgate_key"}), "");
}

TEST_F(RequestMetricsTest, cache_bypass_reason_is_counted_and_a_hit_bills_no_tokens) {
    RequestRecord record = chat_record();
    record.cache = CacheResult::bypass;
    record.cache_reason = "sampled";
    metrics.record(record);
    record.cache = CacheResult::hit;
    record.cache_reason = {};
    record.attempt_count = 0;
    metrics.record(record);
    const std::string text = expose();
    EXPECT_EQ(lines_of(text, {"tollgate_cache_bypass_total{"}), "tollgate_cache_bypass_total{reason=\"sampled\"} 1\n");
    EXPECT_EQ(value_of(text, R"(tollgate_tokens_total{model="gpt-fast",provider="openai-eu",type="input"})"), "812");
}

TEST_F(RequestMetricsTest, money_saved_is_counted_by_source_and_model) { // scenario 74
    RequestRecord record = chat_record();
    record.attempt_count = 0;
    record.cache = CacheResult::hit;
    record.saved_nano = 1'500'000;
    metrics.record(record);
    record.cache = CacheResult::stale;
    record.saved_nano = 500'000;
    metrics.record(record);
    EXPECT_EQ(value_of(expose(), R"(tollgate_saved_usd_total{source="cache_exact",model="gpt-fast"})"), "0.002");
}

TEST_F(RequestMetricsTest, record_of_an_older_vocabulary_is_counted_by_name) {
    auto next = std::make_shared<Vocabulary>();
    next->models = {"other", "new-model", "gpt-fast"};
    next->upstreams = {"openai-eu"};
    next->keys = {{"k_new", "ads", "n"}, {"k_one", "search", "one"}};
    next->teams = {"ads", "search"};
    metrics.use(next);
    metrics.record(chat_record()); // model 1, upstream 1, key 0 of the old one
    RequestRecord gone = chat_record();
    gone.key_id = "k_gone";
    gone.model = "gone-model";
    gone.attempts[0].upstream = "gone-upstream";
    metrics.record(gone);
    const std::string text = expose();
    EXPECT_EQ(value_of(text, R"(tollgate_key_requests_total{key="k_one",team="search",outcome="success"})"), "1");
    EXPECT_EQ(value_of(text, R"(tollgate_tokens_total{model="gpt-fast",provider="openai-eu",type="input"})"), "812");
    EXPECT_EQ(value_of(text, R"(tollgate_key_requests_total{key="_other",team="search",outcome="success"})"), "1");
    EXPECT_EQ(value_of(text, R"(tollgate_tokens_total{model="other",provider="other",type="input"})"), "812");
    EXPECT_EQ(text.find("new-model"), std::string::npos);
    EXPECT_EQ(text.find("gone"), std::string::npos);
}

TEST_F(RequestMetricsTest, words_outside_static_storage_are_still_told_apart) {
    RequestRecord record;
    record.status = 200;
    std::string route = "/v1/first_";
    for (const char* name : {"/v1/first_", "/v1/second"}) { // same address, same length
        route.assign(name);
        record.route = route;
        metrics.record(record);
    }
    EXPECT_EQ(value(R"(tollgate_http_requests_total{listener="api",route="/v1/first_",method="other",code="200"})"),
              "1");
    EXPECT_EQ(value(R"(tollgate_http_requests_total{listener="api",route="/v1/second",method="other",code="200"})"),
              "1");
}

TEST(RegisterVocabulary, known_series_are_exposed_at_zero) {
    Registry registry;
    register_vocabulary(registry, *small_vocabulary());
    const std::string text = registry.expose();
    for (
        const char* series :
        {R"(tollgate_requests_total{operation="responses",model="gpt-slow",stream="true",outcome="gateway_error"})",
         R"(tollgate_requests_total{operation="embeddings",model="other",stream="false",outcome="success"})",
         R"(tollgate_team_requests_total{team="ads",model="gpt-fast",outcome="error"})",
         R"(tollgate_key_requests_total{key="k_three",team="ads",outcome="success"})",
         R"(tollgate_tokens_total{model="gpt-fast",provider="azure-eu",type="output"})",
         R"(tollgate_cache_lookups_total{tier="redis",result="hit"})",
         R"(tollgate_errors_total{operation="chat",model="gpt-slow",error_type="provider_stream_broken",code="200"})",
         R"(tollgate_errors_total{operation="embeddings",model="other",error_type="caller_model_unknown",code="404"})",
         R"(tollgate_errors_total{operation="responses",model="gpt-fast",error_type="caller_cancelled",code="none"})",
         R"(tollgate_http_requests_total{listener="api",route="/v1/files/{id}",method="DELETE",code="404"})",
         R"(tollgate_http_requests_total{listener="api",route="/v1/files/{id}",method="DELETE",code="none"})",
         R"(tollgate_http_requests_total{listener="api",route="/v1/files/{id}",method="HEAD",code="404"})",
         R"(tollgate_http_requests_total{listener="api",route="unmatched",method="GET",code="404"})",
         R"(tollgate_http_requests_total{listener="api",route="unmatched",method="PUT",code="405"})",
         R"(tollgate_requests_total{operation="image",model="gpt-fast",stream="true",outcome="rejected"})",
         R"(tollgate_requests_total{operation="files",model="other",stream="false",outcome="success"})",
         R"(tollgate_requests_in_flight{operation="files"})",
         R"(tollgate_client_requests_total{client="curl",operation="files"})",
         R"(tollgate_errors_total{operation="files",model="other",error_type="provider_timeout",code="504"})",
         R"(tollgate_errors_total{operation="image",model="gpt-slow",error_type="provider_timeout",code="504"})",
         R"(tollgate_request_body_bytes_count{operation="files"})",
         R"(tollgate_request_duration_seconds_count{operation="files",model="other",stream="false"})",
         R"(tollgate_upstream_attempts_total{upstream="azure-eu",model="gpt-fast",stream="true",result="error",error_type="provider_timeout"})",
         R"(tollgate_upstream_attempts_total{upstream="azure-eu",model="gpt-fast",stream="false",result="cancelled",error_type="caller_cancelled"})",
         R"(tollgate_http_requests_total{listener="metrics",route="/readyz",method="GET",code="503"})",
         R"(tollgate_cache_bypass_total{reason="remote_content"})",
         R"(tollgate_limit_rejections_total{scope="org",limit="rpm",mode="enforced"})",
         R"(tollgate_upstream_connections{upstream="openai-eu",state="idle"})",
         "tollgate_streams_open"}) {
        EXPECT_EQ(value_of(text, series), "0") << series;
    }
    EXPECT_EQ(value_of(text, R"(tollgate_key_info{key="k_two",team="search",alias="two"})"), "1");
    EXPECT_EQ(value_of(text, R"(tollgate_tokens_total{model="gpt-slow",provider="azure-eu",type="output"})"), "absent");
    EXPECT_EQ(value_of(text, R"(tollgate_tokens_total{model="other",provider="azure-eu",type="output"})"), "0");
}

TEST(RegisterVocabulary, levels_are_the_words_of_the_log) {
    Registry registry;
    register_vocabulary(registry, *small_vocabulary());
    const std::string text = registry.expose();
    for (const char* level : {"debug", "info", "warn", "error"})
        EXPECT_EQ(value_of(text, R"(tollgate_log_messages_total{level=")" + std::string(level) + R"("})"), "0");
    EXPECT_EQ(value_of(text, R"(tollgate_metrics_series{family="tollgate_log_messages_total"})"), "4");
}

TEST(RegisterVocabulary, keys_past_two_thousand_fold_into_other_with_their_team) {
    auto vocabulary = small_vocabulary();
    vocabulary->keys.clear();
    for (int i = 0; i < 2'005; ++i)
        vocabulary->keys.push_back({"k" + std::to_string(i), i % 2 == 0 ? "search" : "ads", "a"});
    Registry registry;
    register_vocabulary(registry, *vocabulary);
    RequestMetrics metrics(registry, registry.make_shard());
    metrics.use(vocabulary);
    RequestRecord record = chat_record();
    for (const std::uint32_t index : {1'999U, 2'000U, 2'002U}) {
        const std::string id = "k" + std::to_string(index);
        record.key_id = id;
        record.key_index = index;
        metrics.record(record);
    }
    const std::string text = registry.expose();
    EXPECT_EQ(value_of(text, R"(tollgate_key_requests_total{key="k1999",team="ads",outcome="success"})"), "1");
    EXPECT_EQ(value_of(text, R"(tollgate_key_requests_total{key="_other",team="search",outcome="success"})"), "2");
    EXPECT_EQ(value_of(text, R"(tollgate_key_info{key="_other",team="ads",alias="_other"})"), "1");
    EXPECT_EQ(value_of(text, R"(tollgate_metrics_series{family="tollgate_key_requests_total"})"), "6006");
    EXPECT_EQ(value_of(text, R"(tollgate_metrics_overflow_total{family="tollgate_key_requests_total"})"), "15");
}

TEST(RegisterVocabulary, large_configuration_leaves_room_under_the_cap) {
    auto vocabulary = std::make_shared<Vocabulary>();
    vocabulary->operations = test::some_operations();
    vocabulary->models = {"other"};
    vocabulary->upstreams = {"u"};
    for (std::uint32_t i = 1; i < 500; ++i) {
        vocabulary->models.push_back("m" + std::to_string(i));
        vocabulary->pairs.push_back({i, 0});
    }
    for (int i = 0; i < 500; ++i) vocabulary->teams.push_back("t" + std::to_string(i));
    Registry registry;
    register_vocabulary(registry, *vocabulary);
    const std::string text = registry.expose();
    EXPECT_EQ(value_of(text, R"(tollgate_metrics_series{family="tollgate_requests_total"})"),
              "4446"); // 7 × 100 + 2 × 20 + 1, × 6
    EXPECT_EQ(value_of(text, R"(tollgate_metrics_series{family="tollgate_team_requests_total"})"), "1500");
    // As many models as fit into half of the family's cap, each with every failure of every operation.
    const int errors = std::stoi(value_of(text, R"(tollgate_metrics_series{family="tollgate_errors_total"})"));
    EXPECT_EQ(errors % static_cast<int>(kKnownFailures.size()), 0);
    EXPECT_GT(errors, 4000);
    EXPECT_LE(errors, 5000);
    EXPECT_LE(std::stoi(value_of(text, R"(tollgate_metrics_series{family="tollgate_upstream_attempts_total"})")), 5000);
    EXPECT_EQ(lines_of(text, {"tollgate_metrics_overflow_total{"}).find("} 1"), std::string::npos);
}

} // namespace
} // namespace tollgate::metrics
