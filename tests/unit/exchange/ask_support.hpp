// A request, a model and a price, as the tests of exchange/ask write them down.
#pragma once

#include "gateway/api/request_view.hpp"
#include "gateway/exchange/ask.hpp"

#include <gtest/gtest.h>
#include <initializer_list>
#include <string>
#include <utility>

namespace tollgate::exchange {

inline constexpr std::int64_t kPerMillion = 1'000'000; // pico-USD of a token at 1 USD per million

using Cards = std::initializer_list<std::pair<policy::PriceClass, policy::PicoUsd>>;

inline policy::PriceEntry price_of(Cards cards) {
    policy::RateCard card;
    for (const auto& [price_class, rate] : cards) card[price_class] = rate;
    policy::PriceEntry entry;
    entry.rates = policy::resolve(card);
    return entry;
}

// Input 1, output 4 USD per million tokens.
inline policy::PriceEntry usual_price() {
    return price_of({{policy::PriceClass::input, kPerMillion}, {policy::PriceClass::output, 4 * kPerMillion}});
}

inline const api::Route& route_of(std::string_view path) {
    const auto found = api::find_route(api::Method::post, path);
    EXPECT_TRUE(found.match) << path;
    return *found.match->route;
}

struct Request {
    std::string path = "/v1/chat/completions";
    std::string body{};
    api::ModelSize model{};
    policy::PriceEntry price = usual_price();
    bool strict = true;
    bool priced = true;
    std::uint64_t octets = 0; // 0: of the body
};

inline Result<policy::quota::Ask> ask(const Request& request) {
    static api::RequestReader reader;
    const api::Route& route = route_of(request.path);
    api::RequestView view;
    if (route.body == api::BodyKind::json && !request.body.empty()) {
        auto read = reader.read(request.body, route.operation);
        EXPECT_TRUE(read) << request.body << (read ? "" : read.error().message);
        if (read) view = std::move(*read);
    }
    return ask_for({.view = &view,
                    .route = &route,
                    .body_octets = request.octets != 0 ? request.octets : request.body.size(),
                    .model = request.model,
                    .price = request.priced ? &request.price : nullptr,
                    .strict_money = request.strict,
                    .model_name = "m"});
}

// "status code param" of a refusal, "ok" otherwise.
inline std::string verdict(const Request& request) {
    const auto result = ask(request);
    if (result) return "ok";
    const Error& error = result.error();
    EXPECT_EQ(error.retry, Retry::never);
    EXPECT_NE(error.message.find("strict budget"), std::string::npos) << error.message;
    EXPECT_EQ(error.type, error.status == 403 ? ErrorType::policy_model_blocked : ErrorType::policy_access_denied);
    std::string out = std::to_string(error.status) + " " + std::string(error.code);
    if (!error.param.empty()) out += " " + error.param;
    return out;
}

} // namespace tollgate::exchange
