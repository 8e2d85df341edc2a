#include "gateway/base/error.hpp"

#include "gateway/base/time.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string_view>
#include <utility>

namespace tollgate {
namespace {

TEST(ErrorType, every_word_is_distinct_and_starts_with_its_owner) {
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < kErrorTypeCount; ++i) {
        const std::string_view word = to_string(static_cast<ErrorType>(i));
        EXPECT_TRUE(seen.insert(word).second) << word;
        const std::string_view owner = word.substr(0, word.find('_'));
        EXPECT_TRUE(owner == "caller" || owner == "policy" || owner == "provider" || owner == "gateway") << word;
        EXPECT_TRUE(std::ranges::all_of(word, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; })) << word;
    }
}

// The table and the enumeration are written apart: a word in the wrong place would be a wrong metric label.
TEST(ErrorType, words_are_those_of_their_enumerators) {
    const std::pair<ErrorType, std::string_view> all[] = {
        {ErrorType::caller_invalid_request, "caller_invalid_request"},
        {ErrorType::caller_unauthenticated, "caller_unauthenticated"},
        {ErrorType::caller_model_unknown, "caller_model_unknown"},
        {ErrorType::caller_model_not_available, "caller_model_not_available"},
        {ErrorType::caller_too_large, "caller_too_large"},
        {ErrorType::caller_cancelled, "caller_cancelled"},
        {ErrorType::policy_access_denied, "policy_access_denied"},
        {ErrorType::policy_model_blocked, "policy_model_blocked"},
        {ErrorType::policy_rate_limited, "policy_rate_limited"},
        {ErrorType::policy_concurrency, "policy_concurrency"},
        {ErrorType::policy_budget_exceeded, "policy_budget_exceeded"},
        {ErrorType::provider_auth_failed, "provider_auth_failed"},
        {ErrorType::provider_billing, "provider_billing"},
        {ErrorType::provider_rate_limited, "provider_rate_limited"},
        {ErrorType::provider_overloaded, "provider_overloaded"},
        {ErrorType::provider_server_error, "provider_server_error"},
        {ErrorType::provider_timeout, "provider_timeout"},
        {ErrorType::provider_connection_failed, "provider_connection_failed"},
        {ErrorType::provider_bad_response, "provider_bad_response"},
        {ErrorType::provider_stream_broken, "provider_stream_broken"},
        {ErrorType::gateway_internal, "gateway_internal"},
        {ErrorType::gateway_overloaded, "gateway_overloaded"},
        {ErrorType::gateway_shutdown, "gateway_shutdown"},
        {ErrorType::gateway_timeout, "gateway_timeout"},
        {ErrorType::gateway_no_upstream, "gateway_no_upstream"},
    };
    EXPECT_EQ(std::size(all), kErrorTypeCount);
    for (const auto& [type, word] : all) EXPECT_EQ(to_string(type), word);
}

TEST(Result, fail_carries_the_error) {
    Error error;
    error.status = 429;
    error.message = "no";
    const Result<int> result = fail(error);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().status, 429);
    EXPECT_EQ(result.error().message, "no");
    EXPECT_EQ(Error{}.type, ErrorType::gateway_internal) << "an error nobody classified is ours";
    EXPECT_EQ(Error{}.status, 500);
}

TEST(Time, to_ms_keeps_the_fraction) {
    using namespace std::chrono_literals;
    EXPECT_DOUBLE_EQ(to_ms(1'234'567ns), 1.234567);
    EXPECT_DOUBLE_EQ(to_ms(-2s), -2'000);
    EXPECT_DOUBLE_EQ(to_ms(0ns), 0);
}

} // namespace
} // namespace tollgate
