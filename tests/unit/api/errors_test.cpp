#include "gateway/api/errors.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace tollgate::api {
namespace {

namespace json = boost::json;

std::string retry_headers(Retry retry, std::uint64_t wait_ms) {
    Error error;
    error.retry = retry;
    error.retry_after_ms = wait_ms;
    std::string out;
    append_retry_headers(out, error);
    return out;
}

TEST(ErrorBody, golden) {
    Error error;
    error.type = ErrorType::policy_rate_limited;
    error.status = 429;
    error.message = "Team \"search\" is over its limit:\n60 of 60.\x01\xff";
    error.code = "rate_limit_exceeded";
    error.details = R"("scope":"team","limit":60)";
    const json::value expected = {
        {"error",
         {{"message", "Team \"search\" is over its limit:\n60 of 60.\x01\xEF\xBF\xBD"},
          {"type", "requests"},
          {"param", nullptr},
          {"code", "rate_limit_exceeded"},
          {"tollgate",
           {{"error_type", "policy_rate_limited"}, {"request_id", "req_1"}, {"scope", "team"}, {"limit", 60}}}}}};
    EXPECT_EQ(json::parse(error_body(error, "req_1")), expected) << error_body(error, "req_1");
}

TEST(ErrorBody, type_follows_status_unless_given) {
    const auto type = [](int status, ErrorType word, std::string_view given = {}) {
        Error error;
        error.type = word;
        error.status = status;
        error.openai_type = given;
        return std::string(json::parse(error_body(error, "r")).at("error").at("type").as_string().c_str());
    };
    for (const int status : {400, 401, 403, 404, 405, 413, 415})
        EXPECT_EQ(type(status, ErrorType::caller_invalid_request), "invalid_request_error") << status;
    for (const int status : {500, 502, 504}) EXPECT_EQ(type(status, ErrorType::gateway_internal), "server_error");
    EXPECT_EQ(type(503, ErrorType::gateway_overloaded), "service_unavailable_error");
    EXPECT_EQ(type(429, ErrorType::provider_rate_limited), "rate_limit_error");
    EXPECT_EQ(type(429, ErrorType::policy_rate_limited, "insufficient_quota"), "insufficient_quota");
}

TEST(ErrorBody, hostile_parameter_and_id_stay_inside_their_strings) {
    Error error;
    error.param = "a\"},{\"x\":\"\\";
    const json::value body = json::parse(error_body(error, "\"\r\n"));
    EXPECT_EQ(body.at("error").at("param").as_string(), error.param);
    EXPECT_EQ(body.at("error").at("tollgate").at("request_id").as_string(), "\"\r\n");
}

TEST(ErrorEvent, chat_form_is_one_data_line) {
    Error error;
    error.message = "two\nlines";
    const std::string event = error_event(error, "req_1", false);
    EXPECT_EQ(event, "data: " + error_body(error, "req_1") + "\n\n");
    EXPECT_EQ(std::ranges::count(event, '\n'), 2);
}

TEST(ErrorEvent, responses_form_has_event_line_and_flat_members) {
    Error error;
    error.message = "broken";
    error.code = "server_error";
    const std::string event = error_event(error, "req_1", true);
    constexpr std::string_view kStart = "event: error\ndata: ";
    ASSERT_TRUE(event.starts_with(kStart)) << event;
    const json::value data = json::parse(event.substr(kStart.size()));
    EXPECT_EQ(data.at("type").as_string(), "error");
    EXPECT_EQ(data.at("code").as_string(), "server_error");
    EXPECT_EQ(data.at("message").as_string(), "broken");
    EXPECT_TRUE(data.at("param").is_null());
    EXPECT_EQ(data.at("error").at("tollgate").at("request_id").as_string(), "req_1");
}

TEST(RetryHeaders, bounds) {
    EXPECT_EQ(retry_headers(Retry::unsaid, 5000), "");
    EXPECT_EQ(retry_headers(Retry::never, 5000), "x-should-retry: false\r\n");
    EXPECT_EQ(retry_headers(Retry::after, 0), "retry-after: 1\r\nretry-after-ms: 1\r\n");
    EXPECT_EQ(retry_headers(Retry::after, 174), "retry-after: 1\r\nretry-after-ms: 174\r\n");
    EXPECT_EQ(retry_headers(Retry::after, 1001), "retry-after: 2\r\nretry-after-ms: 1001\r\n");
    EXPECT_EQ(retry_headers(Retry::after, 59'000), "retry-after: 59\r\nretry-after-ms: 59000\r\n");
    EXPECT_EQ(retry_headers(Retry::after, 59'001), "x-should-retry: false\r\n");
    EXPECT_EQ(retry_headers(Retry::after, UINT64_MAX), "x-should-retry: false\r\n");
}

struct Row {
    int provider;
    int ours;
    bool pass;
    ErrorType type;
};

TEST(ProviderStatus, table) {
    using enum ErrorType;
    for (const Row& row : {Row{400, 400, true, caller_invalid_request}, Row{404, 404, true, caller_invalid_request},
                           Row{409, 400, true, caller_invalid_request}, Row{413, 413, true, caller_too_large},
                           Row{422, 422, true, caller_invalid_request}, Row{401, 502, false, provider_auth_failed},
                           Row{402, 502, false, provider_billing},      Row{403, 502, false, provider_auth_failed},
                           Row{429, 429, false, provider_rate_limited}, Row{408, 504, false, provider_timeout},
                           Row{504, 504, false, provider_timeout},      Row{520, 504, false, provider_timeout},
                           Row{524, 504, false, provider_timeout},      Row{503, 503, false, provider_overloaded},
                           Row{529, 503, false, provider_overloaded},   Row{500, 502, false, provider_server_error},
                           Row{502, 502, false, provider_server_error}, Row{424, 502, false, provider_server_error},
                           Row{599, 502, false, provider_server_error}, Row{100, 502, false, provider_bad_response},
                           Row{302, 502, false, provider_bad_response}, Row{304, 502, false, provider_bad_response},
                           Row{405, 502, false, provider_bad_response}, Row{415, 502, false, provider_bad_response},
                           Row{499, 502, false, provider_bad_response}, Row{0, 502, false, provider_bad_response},
                           Row{-1, 502, false, provider_bad_response},  Row{700, 502, false, provider_bad_response}}) {
        const ProviderVerdict verdict = judge_provider_status(row.provider, 0, "openai");
        EXPECT_EQ(verdict.status, row.ours) << row.provider;
        EXPECT_EQ(verdict.error.status, row.ours) << row.provider;
        EXPECT_EQ(verdict.pass_body, row.pass) << row.provider;
        EXPECT_EQ(to_string(verdict.error.type), to_string(row.type)) << row.provider;
        EXPECT_EQ(verdict.error.message.find("openai") != std::string::npos, !row.pass) << verdict.error.message;
    }
}

TEST(ProviderStatus, waits_are_kept_for_429_and_503_only) {
    for (const int status : {429, 503}) {
        const ProviderVerdict verdict = judge_provider_status(status, 7000, "p");
        EXPECT_EQ(verdict.error.retry, Retry::after) << status;
        EXPECT_EQ(verdict.error.retry_after_ms, 7000U) << status;
        EXPECT_EQ(judge_provider_status(status, 0, "p").error.retry, Retry::unsaid) << status;
    }
    EXPECT_EQ(judge_provider_status(500, 7000, "p").error.retry, Retry::unsaid);
}

TEST(ProviderStatus, a_provider_without_head_is_405_in_its_name) {
    const ProviderVerdict verdict = judge_head_refused("openai");
    EXPECT_EQ(verdict.status, 405);
    EXPECT_FALSE(verdict.pass_body);
    EXPECT_EQ(verdict.error.type, ErrorType::caller_invalid_request);
    EXPECT_EQ(verdict.error.status, 405);
    EXPECT_EQ(verdict.error.code, "method_not_supported");
    EXPECT_EQ(verdict.error.message, "Provider \"openai\" does not answer HEAD here; use GET instead.");
}

TEST(ProviderStatus, hostile_provider_name_keeps_the_body_valid) {
    const ProviderVerdict verdict = judge_provider_status(500, 0, "a\"b");
    const json::value body = json::parse(error_body(verdict.error, "r"));
    EXPECT_EQ(body.at("error").at("tollgate").at("provider").as_string(), "a\"b");
}

} // namespace
} // namespace tollgate::api
