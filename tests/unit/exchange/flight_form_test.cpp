// What a flight's log says in no client's form (scenario 79).
#include "gateway/exchange/flight_form.hpp"

#include <gtest/gtest.h>

namespace tollgate::exchange {
namespace {

using api::replay::Dialect;

cache::Flight::Reading log_of(cache::FlightForm form, std::initializer_list<std::string_view> segments) {
    cache::Flight::Reading log;
    auto head = std::make_shared<cache::FlightHead>();
    head->form = form;
    log.head = std::move(head);
    for (const auto segment : segments) log.segments.push_back(std::make_shared<const std::string>(segment));
    log.end = cache::FlightEnd::complete;
    return log;
}

constexpr std::string_view kText =
    R"(data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"hi"},"finish_reason":null}]})"
    "\n\n";
constexpr std::string_view kStop =
    R"(data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"
    "\n\n";
constexpr std::string_view kUsage =
    R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}})";
constexpr std::string_view kDone = "data: [DONE]\n\n";

TEST(FlightForm, JsonIsWhatItWas) {
    const auto log = log_of(cache::FlightForm::json, {"{\"a\":", "1}"});
    EXPECT_EQ(completion_of(Dialect::chat, log), "{\"a\":1}");
}

TEST(FlightForm, EventsBecomeOneCompletionWithTheUsageThatNobodyWasSent) {
    auto log = log_of(cache::FlightForm::events, {kText.substr(0, 50), kText.substr(50), kStop, kDone});
    log.usage = kUsage;
    const auto whole = completion_of(Dialect::chat, log);
    ASSERT_TRUE(whole);
    EXPECT_NE(whole->find(R"("content":"hi")"), std::string::npos) << *whole;
    EXPECT_NE(whole->find(R"("total_tokens":4)"), std::string::npos) << *whole;
}

TEST(FlightForm, WhatIsNotWholeIsNothing) {
    auto log = log_of(cache::FlightForm::events, {kText, kDone}); // no reason why it ended
    log.usage = kUsage;
    EXPECT_FALSE(completion_of(Dialect::chat, log));
    auto cut = log_of(cache::FlightForm::json, {"{}"});
    cut.first = 1;
    EXPECT_FALSE(completion_of(Dialect::chat, cut));
    auto running = log_of(cache::FlightForm::json, {"{}"});
    running.end = cache::FlightEnd::running;
    EXPECT_FALSE(completion_of(Dialect::chat, running));
}

} // namespace
} // namespace tollgate::exchange
