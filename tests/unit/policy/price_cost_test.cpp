#include "policy/price/price.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace tollgate::policy {
namespace {

using enum PriceClass;
using namespace std::chrono_literals;

RateCard card(std::initializer_list<std::pair<PriceClass, PicoUsd>> rates) {
    RateCard out;
    for (const auto& [price_class, rate] : rates) out[price_class] = rate;
    return out;
}

PriceEntry entry(const RateCard& rates) {
    return {.version = "v", .rates = resolve(rates), .tiers = {}};
}

WallTime day(int year, int month, int d) {
    return std::chrono::sys_days(std::chrono::year(year) / month / d);
}

TEST(Resolve, a_class_without_a_price_costs_what_its_kind_costs) {
    const Rates rates = resolve(card({{input, 100}, {output, 400}}));
    for (const PriceClass c : {input, cached_input, cache_write, audio_in, image_in}) EXPECT_EQ(rates[c], 100);
    for (const PriceClass c : {output, reasoning, audio_out}) EXPECT_EQ(rates[c], 400);
    for (const PriceClass c : {image, audio_second, request, tool_call}) EXPECT_EQ(rates[c], 0);
    EXPECT_EQ(resolve(card({{input, 100}, {cached_input, 0}}))[cached_input], 0) << "free is a price";
}

TEST(CostOf, service_that_the_provider_served_multiplies_the_whole_bill) {
    PriceEntry price = entry(card({{input, 150'000}, {output, 600'000}, {request, 1'000'000}}));
    const NanoUsd list = 1'000 * 150 + 200 * 600 + 1'000;
    const auto bill = [&](ServiceTier tier) {
        return cost({.input = 1'000, .output = 200, .service = tier}, price).total;
    };
    for (const ServiceTier tier : {ServiceTier::list, ServiceTier::flex, ServiceTier::batch})
        EXPECT_EQ(bill(tier), list);
    for (const ServiceTier tier : {ServiceTier::priority, ServiceTier::fast}) EXPECT_EQ(bill(tier), 2 * list);
    const std::string usual = version_of("file", price);
    price.service = {1'000, 500, 500, 1'750, 2'500};
    EXPECT_NE(version_of("file", price), usual);
    EXPECT_EQ(bill(ServiceTier::list), list);
    EXPECT_EQ(bill(ServiceTier::flex), list / 2);
    EXPECT_EQ(bill(ServiceTier::priority), list * 7 / 4);
    EXPECT_EQ(cost({.input = 1, .service = ServiceTier::flex}, entry(card({{input, 1}}))).total, 1)
        << "rounded up once";
}

TEST(CostOf, details_are_parts_of_their_totals) {
    // gpt-4o-mini: 0.15, 0.075, 0.60 USD per million.
    const PriceEntry price = entry(card({{input, 150'000}, {cached_input, 75'000}, {output, 600'000}}));
    const Cost bill = cost({.input = 1'000, .cached_input = 400, .output = 200, .reasoning = 50}, price);
    EXPECT_EQ(bill.total, 600 * 150 + 400 * 75 + 200 * 600);
    EXPECT_EQ(bill.components[input], 600 * 150'000);
    EXPECT_EQ(bill.components[cached_input], 400 * 75'000);
    EXPECT_EQ(bill.components[output], 150 * 600'000);
    EXPECT_EQ(bill.components[reasoning], 50 * 600'000);
    EXPECT_FALSE(bill.saturated);
}

TEST(CostOf, every_class_is_charged_at_its_own_price) {
    const PriceEntry price = entry(card({{input, 1'000},
                                         {cached_input, 2'000},
                                         {cache_write, 3'000},
                                         {audio_in, 5'000},
                                         {image_in, 7'000},
                                         {output, 11'000},
                                         {reasoning, 13'000},
                                         {audio_out, 17'000},
                                         {image, 19'000},
                                         {audio_second, 23'000},
                                         {request, 29'000},
                                         {tool_call, 31'000}}));
    const Cost bill = cost({.input = 15,
                            .cached_input = 1,
                            .cache_write = 2,
                            .audio_in = 3,
                            .image_in = 4,
                            .output = 9,
                            .reasoning = 2,
                            .audio_out = 3,
                            .images = 2,
                            .audio_ms = 3'000,
                            .requests = 1,
                            .tool_calls = 5},
                           price);
    EXPECT_EQ(bill.total,
              5 * 1 + 1 * 2 + 2 * 3 + 3 * 5 + 4 * 7 + 4 * 11 + 2 * 13 + 3 * 17 + 2 * 19 + 3 * 23 + 29 + 5 * 31);
    PicoUsd sum = 0;
    for (const PicoUsd component : bill.components) sum += component;
    EXPECT_EQ(sum, bill.total * 1'000);
}

TEST(CostOf, the_sum_is_rounded_up_once) {
    // 0.4 nano-USD three times: 1.2 rounds to 2, not to 3.
    EXPECT_EQ(cost({.input = 1, .output = 1, .requests = 1}, entry(card({{input, 400}, {output, 400}, {request, 400}})))
                  .total,
              2);
    EXPECT_EQ(cost({.input = 1}, entry(card({{input, 1}}))).total, 1) << "used is never free";
    EXPECT_EQ(cost({.input = 0}, entry(card({{input, 1}}))).total, 0);
    EXPECT_EQ(cost({.input = 1'000}, entry(card({{input, 1}}))).total, 1);
    EXPECT_EQ(cost({.input = 1'001}, entry(card({{input, 1}}))).total, 2);
    // 0.0001 USD a second, a millisecond is 100 nano-USD: no rounding to whole seconds.
    EXPECT_EQ(cost({.audio_ms = 1}, entry(card({{audio_second, 100'000'000}}))).total, 100);
    EXPECT_EQ(cost({.audio_ms = 1}, entry(card({{audio_second, 1}}))).total, 1);
}

TEST(CostOf, the_whole_request_is_repriced_above_a_threshold) {
    PriceEntry price = entry(card({{input, 2'000}, {output, 10'000}}));
    price.tiers = {{200, resolve(card({{input, 4'000}, {output, 15'000}}))},
                   {900, resolve(card({{input, 9'000}, {output, 20'000}}))}};
    EXPECT_EQ(cost({.input = 200, .output = 10}, price).total, 200 * 2 + 10 * 10);
    EXPECT_EQ(cost({.input = 201, .output = 10}, price).total, 201 * 4 + 10 * 15);
    EXPECT_EQ(cost({.input = 901, .output = 10}, price).total, 901 * 9 + 10 * 20);
    EXPECT_EQ(cost({.input = 201, .cached_input = 201, .output = 0}, price).total, 201 * 4) << "cached counts too";
}

TEST(CostOf, details_that_contradict_their_total_cost_the_dearest_reading_of_it) {
    const PriceEntry price = entry(card({{input, 2'000}, {cached_input, 1'000}, {audio_in, 9'000}, {output, 4'000}}));
    EXPECT_EQ(cost({.input = 10, .cached_input = 50}, price).total, 10);
    EXPECT_EQ(cost({.input = 10, .cached_input = 8, .audio_in = 8}, price).total, 8 * 9 + 2 * 1);
    EXPECT_EQ(cost({.output = 10, .reasoning = UINT64_MAX}, price).total, 40);
}

TEST(CostOf, what_does_not_fit_is_the_most_and_says_so) {
    const PriceEntry price = entry(card({{input, INT64_MAX}, {output, INT64_MAX}, {audio_second, INT64_MAX}}));
    const Cost bill = cost({.input = UINT64_MAX, .output = UINT64_MAX, .audio_ms = UINT64_MAX}, price);
    EXPECT_TRUE(bill.saturated);
    EXPECT_EQ(bill.total, kMostNano);
    EXPECT_EQ(bill.components[input], INT64_MAX);
    EXPECT_EQ(upper_bound({.input = UINT64_MAX, .output = UINT64_MAX}, price), kMostNano);
}

TEST(CostOf, the_entry_in_force_decides) {
    Price price;
    price.entries = {entry(card({{input, 1'000}})), entry(card({{input, 3'000}}))};
    price.entries[0].from = day(2026, 1, 1);
    price.entries[1].from = day(2026, 7, 30);
    EXPECT_EQ(cost({.input = 1}, price, day(2025, 12, 31)), std::nullopt) << "unpriced, not free";
    EXPECT_EQ(cost({.input = 1}, price, day(2026, 1, 1))->total, 1);
    EXPECT_EQ(cost({.input = 1}, price, day(2026, 7, 30) - 1ns)->total, 1);
    EXPECT_EQ(cost({.input = 1}, price, day(2026, 7, 30))->total, 3);
}

TEST(VersionOf, changes_with_any_number_and_with_nothing_else) {
    PriceEntry a = entry(card({{input, 1'000}, {output, 2'000}}));
    PriceEntry b = a;
    b.version = "something else";
    EXPECT_EQ(version_of("config", a), version_of("config", b));
    EXPECT_TRUE(version_of("config", a).starts_with("config:"));
    EXPECT_EQ(version_of("config", a).size(), 17U);
    std::vector<std::string> seen{version_of("config", a)};
    const auto differs = [&](const PriceEntry& other) {
        const std::string version = version_of("config", other);
        EXPECT_EQ(std::ranges::count(seen, version), 0);
        seen.push_back(version);
    };
    for (std::size_t i = 0; i < kPriceClassCount; ++i) {
        PriceEntry other = a;
        ++other.rates[static_cast<PriceClass>(i)];
        differs(other);
    }
    b.from = day(2026, 1, 1);
    differs(b);
    b.tiers = {{200'000, b.rates}};
    differs(b);
    b.tiers[0].above = 100'000;
    differs(b);
}

struct Dice {
    std::mt19937_64 random;
    std::uint64_t below(std::uint64_t end) { return random() % end; }
    bool coin() { return (random() & 1) != 0; }
};

PriceEntry random_entry(Dice& dice) {
    const auto rates = [&] {
        RateCard out;
        for (std::size_t i = 0; i < kPriceClassCount; ++i) {
            if (dice.coin()) out[static_cast<PriceClass>(i)] = static_cast<PicoUsd>(dice.below(100'000'000));
        }
        return resolve(out);
    };
    PriceEntry price{.version = "v", .rates = rates(), .tiers = {}};
    for (std::uint64_t above = 0, n = dice.below(4); n > 0; --n)
        price.tiers.push_back({above += 1 + dice.below(500'000), rates()});
    return price;
}

// What strict budgets stand on: whatever is used within the bound costs no more than was reserved.
TEST(UpperBound, holds_for_every_consumption_within_it) {
    Dice dice{std::mt19937_64(3)};
    for (int round = 0; round < 20'000; ++round) {
        const PriceEntry price = random_entry(dice);
        const ConsumptionBound bound{.input = dice.below(1'000'000),
                                     .output = dice.below(200'000),
                                     .images = dice.below(10),
                                     .audio_ms = dice.below(100'000),
                                     .requests = 1,
                                     .tool_calls = dice.below(4),
                                     .hears = dice.coin(),
                                     .sees = dice.coin(),
                                     .speaks = dice.coin()};
        Consumption used;
        used.input = dice.coin() ? bound.input : dice.below(bound.input + 1);
        used.output = dice.coin() ? bound.output : dice.below(bound.output + 1);
        used.cached_input = dice.below(1'000'000);
        used.cache_write = dice.below(1'000'000);
        if (bound.hears) used.audio_in = dice.below(1'000'000);
        if (bound.sees) used.image_in = dice.below(1'000'000);
        used.reasoning = dice.below(200'000);
        if (bound.speaks) used.audio_out = dice.below(200'000);
        used.images = dice.below(bound.images + 1);
        used.audio_ms = dice.below(bound.audio_ms + 1);
        used.tool_calls = dice.below(bound.tool_calls + 1);
        ASSERT_LE(cost(used, price).total, upper_bound(bound, price)) << round;
    }
}

// Against sums by hand in a wider type: exact, rounded up by less than one nano-USD.
TEST(CostOf, is_the_exact_sum_rounded_up) {
    __extension__ using Wide = __int128;
    Dice dice{std::mt19937_64(5)};
    for (int round = 0; round < 20'000; ++round) {
        PriceEntry price = random_entry(dice);
        price.tiers.clear();
        Consumption used{.input = dice.below(1'000'000'000), .output = dice.below(1'000'000'000)};
        used.cached_input = dice.below(used.input + 1);
        used.reasoning = dice.below(used.output + 1);
        const auto times = [&](PriceClass c, std::uint64_t n) { return static_cast<Wide>(price.rates[c]) * n; };
        const Wide exact = times(input, used.input - used.cached_input) + times(cached_input, used.cached_input) +
                           times(output, used.output - used.reasoning) + times(reasoning, used.reasoning) +
                           times(request, 1);
        const Wide charged = static_cast<Wide>(cost(used, price).total) * 1'000;
        ASSERT_GE(charged, exact);
        ASSERT_LT(charged - exact, 1'000);
    }
}

// With one tier the line is the bound itself; with several it is never below it.
TEST(OpenBound, is_the_upper_bound_as_a_line_over_the_output) {
    __extension__ using Wide = __int128;
    Dice dice{std::mt19937_64(6)};
    for (int round = 0; round < 20'000; ++round) {
        PriceEntry price = random_entry(dice);
        if (round % 2 == 0) price.tiers.clear();
        const ConsumptionBound bound{.input = dice.below(1'000'000),
                                     .output = dice.below(1'000'000),
                                     .tool_calls = dice.below(5),
                                     .hears = dice.below(2) != 0,
                                     .sees = dice.below(2) != 0,
                                     .speaks = dice.below(2) != 0};
        const OpenBound line = open_bound(bound, price);
        const Wide pico = line.fixed + static_cast<Wide>(line.each) * bound.output;
        const Wide nano = (pico + 999) / 1'000;
        ASSERT_GE(nano, upper_bound(bound, price)) << round;
        if (price.tiers.empty()) ASSERT_EQ(nano, upper_bound(bound, price)) << round;
    }
    const PriceEntry dear = entry(card({{input, INT64_MAX}}));
    EXPECT_EQ(open_bound({.input = UINT64_MAX}, dear).fixed, INT64_MAX);
    EXPECT_EQ(dearest_rate(input, dear), INT64_MAX);
}

TEST(UpperBound, is_at_the_dearest_tier_it_can_reach) {
    PriceEntry price = entry(card({{input, 2'000}, {cache_write, 2'500}, {output, 10'000}}));
    price.tiers = {{200, resolve(card({{input, 4'000}, {output, 15'000}}))}};
    EXPECT_EQ(upper_bound({.input = 200, .output = 10}, price), 500 + 100) << "the tier is out of reach";
    EXPECT_EQ(upper_bound({.input = 201, .output = 10}, price), 804 + 150);
    // A tier that is cheaper does not lower the bound: the request may stay below it.
    price.tiers[0].rates = resolve(card({{input, 1'000}, {output, 1'000}}));
    EXPECT_EQ(upper_bound({.input = 1'000, .output = 10}, price), 2'500 + 100);
}

} // namespace
} // namespace tollgate::policy
