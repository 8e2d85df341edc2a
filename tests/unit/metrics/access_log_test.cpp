#include "metrics/access_log.hpp"

#include "tests/unit/metrics/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace tollgate::metrics {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

constexpr WallTime kStart{std::chrono::sys_days{std::chrono::year{2026} / 10 / 5} + 9h + 14min + 7s + 312ms};

RequestRecord base_record() {
    RequestRecord record;
    record.started_wall = kStart;
    record.total = 1840ms;
    record.upstream = 1839100us;
    record.method = "POST";
    record.route = "/v1/chat/completions";
    record.operation = "chat";
    record.request_id = "req_01JB2";
    record.client_address = "10.2.3.4";
    record.user_agent = "OpenAI/Python 1.99.1";
    record.key_id = "k_7f3a9c";
    record.key_alias = "search-prod";
    record.team = "search";
    record.model = "gpt-fast";
    record.status = 200;
    record.cache = CacheResult::miss;
    record.attempts[0] = {.upstream = "openai-eu", .duration = 1611ms, .status = 200};
    record.attempt_count = 1;
    record.bytes_in = 3120;
    record.bytes_out = 9180;
    record.config_hash = "9f3c1a";
    return record;
}

std::string line_of(const RequestRecord& record, std::string_view instance = "gw-2") {
    std::string out;
    append_access_line(out, record, instance);
    return out;
}

TEST(AccessLine, plain_success) {
    RequestRecord record = base_record();
    record.input_tokens = 812;
    record.output_tokens = 164;
    EXPECT_EQ(
        line_of(record),
        R"({"@timestamp":"2026-10-05T09:14:07.312Z","log.level":"info",)"
        R"("message":"POST /v1/chat/completions 200 1.84s gpt-fast","ecs.version":"8.17.0",)"
        R"("event.dataset":"tollgate.access","service.name":"tollgate","service.version":")" TOLLGATE_VERSION R"(",)"
        R"("service.instance.id":"gw-2","tollgate.config_hash":"9f3c1a","tollgate.request_id":"req_01JB2",)"
        R"("http.request.method":"POST","http.route":"/v1/chat/completions","http.response.status_code":200,)"
        R"("client.address":"10.2.3.4","user_agent.name":"openai-python","user_agent.version":"1.99.1",)"
        R"("tollgate.key":"k_7f3a9c","tollgate.key_alias":"search-prod","tollgate.team":"search",)"
        R"("gen_ai.operation.name":"chat","gen_ai.request.model":"gpt-fast","gen_ai.provider.name":"openai","tollgate.upstream":"openai-eu",)"
        R"("gen_ai.request.stream":false,"gen_ai.usage.input_tokens":812,"gen_ai.usage.output_tokens":164,)"
        R"("tollgate.cache":"miss","tollgate.outcome":"success",)"
        R"("tollgate.attempts":[{"upstream":"openai-eu","ms":1611,"status":200}],)"
        R"("tollgate.ms":{"total":1840,"overhead":0.9,"upstream":1839.1},"tollgate.bytes":{"in":3120,"out":9180}})"
        "\n");
}

TEST(AccessLine, stream_with_a_retry) {
    RequestRecord record = base_record();
    record.operation = "responses";
    record.stream = true;
    record.first_token = 402ms;
    record.client_request_id = "abc-42";
    record.upstream_model = "gpt-5-mini";
    record.upstream_request_id = "req_9";
    record.response_id = "resp_7";
    record.response_model = "gpt-5-mini-2026-01-01";
    record.finish_reasons = 0b10001;
    record.cached_tokens = 0;
    record.cache = CacheResult::bypass;
    record.cache_reason = "sampled";
    record.attempts[1] = record.attempts[0];
    record.attempts[0] = {
        .upstream = "azure-eu", .duration = 210ms, .status = 429, .error = ErrorType::provider_rate_limited};
    record.attempt_count = 2;
    const std::string line = line_of(record, "");
    EXPECT_EQ(
        line.substr(line.find("\"tollgate.config_hash\"")),
        R"("tollgate.config_hash":"9f3c1a","tollgate.request_id":"req_01JB2","tollgate.client_request_id":"abc-42",)"
        R"("http.request.method":"POST","http.route":"/v1/chat/completions","http.response.status_code":200,)"
        R"("client.address":"10.2.3.4","user_agent.name":"openai-python","user_agent.version":"1.99.1",)"
        R"("tollgate.key":"k_7f3a9c","tollgate.key_alias":"search-prod","tollgate.team":"search",)"
        R"("gen_ai.operation.name":"chat","gen_ai.request.model":"gpt-fast","gen_ai.provider.name":"openai","tollgate.upstream":"openai-eu",)"
        R"("tollgate.upstream_model":"gpt-5-mini","gen_ai.response.model":"gpt-5-mini-2026-01-01",)"
        R"("gen_ai.response.id":"resp_7","gen_ai.response.finish_reasons":["stop","content_filter"],)"
        R"("gen_ai.request.stream":true,"tollgate.upstream_request_id":"req_9",)"
        R"("gen_ai.usage.cache_read.input_tokens":0,"tollgate.cache":"bypass","tollgate.cache_reason":"sampled",)"
        R"("tollgate.outcome":"success","tollgate.attempts":[)"
        R"({"upstream":"azure-eu","ms":210,"error":"provider_rate_limited","status":429},)"
        R"({"upstream":"openai-eu","ms":1611,"status":200}],)"
        R"("tollgate.ms":{"total":1840,"ttft":402,"overhead":0.9,"upstream":1839.1},)"
        R"("tollgate.bytes":{"in":3120,"out":9180}})"
        "\n");
    EXPECT_EQ(line.find("service.instance.id"), std::string::npos) << line;
}

TEST(AccessLine, refusal_by_a_limit_and_nothing_known) {
    RequestRecord record;
    record.started_wall = kStart;
    record.total = 84us;
    record.operation = "chat";
    record.status = 429;
    record.outcome = Outcome::rejected;
    record.error = ErrorType::policy_rate_limited;
    record.error_message = "Team search: 600 requests/min used. \"Wait\" 4 s.";
    record.limit_scope = "team";
    record.limit_name = "rpm";
    record.limit_value = 600;
    EXPECT_EQ(
        line_of(record, "gw"),
        R"({"@timestamp":"2026-10-05T09:14:07.312Z","log.level":"info","message":"other unmatched 429 0.1ms",)"
        R"("ecs.version":"8.17.0","event.dataset":"tollgate.access","service.name":"tollgate",)"
        R"("service.version":")" TOLLGATE_VERSION R"(","service.instance.id":"gw","http.request.method":"other",)"
        R"("http.route":"unmatched","http.response.status_code":429,"gen_ai.operation.name":"chat",)"
        R"("gen_ai.request.stream":false,"tollgate.outcome":"rejected","tollgate.ms":{"total":0.084,"overhead":0.084},)"
        R"("tollgate.bytes":{"in":0,"out":0},"error.type":"policy_rate_limited",)"
        R"("error.message":"Team search: 600 requests/min used. \"Wait\" 4 s.",)"
        R"("tollgate.limit":{"scope":"team","name":"rpm","value":600}})"
        "\n");
}

TEST(AccessLine, money_is_told_exactly) {
    RequestRecord record = base_record();
    record.cost = 2'310'000;
    record.price_version = "2026-10-01";
    std::string line = line_of(record);
    EXPECT_NE(line.find(R"(200 1.84s gpt-fast $0.00231",)"), std::string::npos) << line;
    EXPECT_NE(line.find(R"("tollgate.cost_nano_usd":2310000,"tollgate.price_version":"2026-10-01",)"),
              std::string::npos)
        << line;
    EXPECT_EQ(line.find("saved"), std::string::npos) << line;
    record.cost = 12'000'000'001;
    EXPECT_NE(line_of(record).find("gpt-fast $12.000000001\""), std::string::npos);
    record.cost.reset();
    record.saved_nano = 7;
    line = line_of(record);
    EXPECT_EQ(line.find('$'), std::string::npos) << line;
    EXPECT_EQ(line.find("cost_nano"), std::string::npos) << line;
    EXPECT_NE(line.find(R"("tollgate.saved_nano_usd":7,)"), std::string::npos) << line;
}

TEST(AccessLine, cache_hit_has_no_upstream) {
    RequestRecord record = base_record();
    record.cache = CacheResult::hit;
    record.attempt_count = 0;
    record.upstream = {};
    record.total = 215us;
    const std::string line = line_of(record);
    EXPECT_NE(
        line.find(
            R"("tollgate.cache":"hit","tollgate.outcome":"success","tollgate.ms":{"total":0.215,"overhead":0.215})"),
        std::string::npos)
        << line;
    EXPECT_EQ(line.find("upstream"), std::string::npos) << line;
    EXPECT_EQ(line.find("attempts"), std::string::npos) << line;
}

TEST(AccessLine, level_follows_the_fault_domain) {
    RequestRecord record = base_record();
    record.outcome = Outcome::gateway_error;
    EXPECT_NE(line_of(record).find(R"("log.level":"error")"), std::string::npos);
    record.outcome = Outcome::upstream_error;
    EXPECT_NE(line_of(record).find(R"("log.level":"warn")"), std::string::npos);
    record.outcome = Outcome::client_cancelled;
    record.status = 0;
    const std::string line = line_of(record);
    EXPECT_NE(line.find(R"("log.level":"info","message":"POST /v1/chat/completions - 1.84s gpt-fast")"),
              std::string::npos)
        << line;
    EXPECT_EQ(line.find("status_code"), std::string::npos) << line;
}

TEST(AccessLine, hostile_values_stay_inside_one_valid_json_line) {
    const std::string hostile = "\"}\n{\"x\":\r\x1b[31m\xFF\xC3\x28\x00\xE2\x80\xA8\\"s;
    RequestRecord record = base_record();
    record.user_agent = hostile;
    record.client_request_id = hostile;
    record.upstream_request_id = hostile;
    record.error = ErrorType::provider_bad_response;
    record.error_message = hostile;
    record.model = hostile;
    record.key_alias = hostile;
    const std::string line = line_of(record);
    EXPECT_EQ(std::ranges::count(line, '\n'), 1) << line;
    EXPECT_EQ(std::ranges::count_if(line, [](char c) { return c >= 0 && c < 0x20; }), 1) << line;
    EXPECT_NE(line.find(R"("user_agent.name":"other","tollgate.key")"), std::string::npos) << line;
    const auto parsed = test::run("python3 -c 'import json,sys; d=json.loads(sys.stdin.buffer.read().decode()); "
                                  "print(d[\"http.response.status_code\"], len(d[\"gen_ai.request.model\"]))'",
                                  line);
    EXPECT_EQ(parsed.status, 0) << parsed.output << line;
    EXPECT_TRUE(parsed.output.starts_with("200 ")) << parsed.output;
}

std::string message_in_log(std::string_view message) {
    RequestRecord record = base_record();
    record.error_message = message;
    const std::string line = line_of(record);
    const std::string name = "\"error.message\":\"";
    const std::size_t from = line.find(name) + name.size();
    return line.substr(from, line.find('"', from) - from);
}

TEST(AccessLine, error_message_is_cut_on_a_character_boundary) {
    EXPECT_EQ(message_in_log(std::string(512, 'x')), std::string(512, 'x'));
    EXPECT_EQ(message_in_log(std::string(513, 'x')), std::string(512, 'x'));
    EXPECT_EQ(message_in_log(std::string(511, 'x') + "\xC3\xA9"), std::string(511, 'x'));
    EXPECT_EQ(message_in_log(std::string(510, 'x') + "\xC3\xA9z"), std::string(510, 'x') + "\xC3\xA9");
    EXPECT_EQ(message_in_log(std::string(509, 'x') + "\xF0\x9F\x98\x80"), std::string(509, 'x'));
}

TEST(AccessLine, timestamps_carry_leading_zeros) {
    RequestRecord record = base_record();
    record.started_wall =
        WallTime{std::chrono::sys_days{std::chrono::year{2028} / 2 / 29} + 1h + 2min + 3s + 4ms + 999us};
    EXPECT_TRUE(line_of(record).starts_with(R"({"@timestamp":"2028-02-29T01:02:03.004Z")")) << line_of(record);
}

TEST(AccessLine, durations_in_the_message_keep_their_unit_readable) {
    RequestRecord record = base_record();
    record.model = {};
    const auto message = [&](Duration total) {
        record.total = total;
        const std::string line = line_of(record);
        const std::size_t from = line.find(" 200 ") + 5;
        return line.substr(from, line.find('"', from) - from);
    };
    EXPECT_EQ(message(999994us), "1000ms");
    EXPECT_EQ(message(999995us), "1.00s");
    EXPECT_EQ(message(61'005ms), "61.01s");
    EXPECT_EQ(message(12'340us), "12.3ms");
    EXPECT_EQ(message(0us), "0ms");
}

} // namespace
} // namespace tollgate::metrics
