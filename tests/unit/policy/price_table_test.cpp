#include "policy/price/table.hpp"

#include <gtest/gtest.h>

namespace tollgate::policy {
namespace {

using enum PriceClass;

WallTime day(int year, int month, int d) {
    return std::chrono::sys_days(std::chrono::year(year) / month / d);
}

const PriceEntry& shipped(std::string_view model) {
    const Price* const price = shipped_prices().find(model);
    if (price == nullptr || price->at(day(2026, 11, 23)) == nullptr) throw std::out_of_range(std::string(model));
    return *price->at(day(2026, 11, 23));
}

TEST(ShippedPrices, are_read_without_a_fault) {
    const PriceList list = read_price_list(shipped_price_list(), "shipped");
    EXPECT_EQ(list.problems, std::vector<std::string>{});
    EXPECT_GE(list.table.models().size(), 38U);
    EXPECT_EQ(shipped_prices().models().size(), list.table.models().size());
}

// api-surface §9.
TEST(ShippedPrices, hold_the_published_numbers) {
    EXPECT_EQ(shipped("gpt-4o-mini").rates[input], 150'000);
    EXPECT_EQ(shipped("gpt-4o-mini").rates[cached_input], 75'000);
    EXPECT_EQ(shipped("gpt-4o-mini").rates[output], 600'000);
    EXPECT_EQ(shipped("gpt-4o-mini").rates[reasoning], 600'000);
    EXPECT_EQ(shipped("gpt-5-nano").rates[cached_input], 5'000);
    EXPECT_EQ(shipped("gpt-audio").rates[audio_in], 32'000'000);
    EXPECT_EQ(shipped("gpt-image-2").rates[image_in], 8'000'000);
    EXPECT_EQ(shipped("text-embedding-3-small").rates[input], 20'000);
    // An hour of sound is 0.36 USD.
    EXPECT_EQ(cost({.audio_ms = 3'600'000}, shipped("whisper-1")).total, 360'000'000);
    const PriceEntry& astra = shipped("gpt-6-astra");
    EXPECT_EQ(astra.rates[cache_write], 12'500'000);
    ASSERT_EQ(astra.tiers.size(), 1U);
    EXPECT_EQ(astra.tiers[0].above, 272'000U);
    EXPECT_EQ(astra.tiers[0].rates[output], 75'000'000);
    EXPECT_EQ(astra.tiers[0].rates[cache_write], 12'500'000) << "kept where the tier says nothing";
    EXPECT_EQ(shipped_prices().find("gpt-5.6-sol")->at(day(2026, 8, 20)), nullptr);
    EXPECT_NE(shipped_prices().find("gpt-5.6-sol")->at(day(2026, 8, 21)), nullptr);
    EXPECT_TRUE(astra.version.starts_with("shipped:"));
}

TEST(PriceTable, a_dated_snapshot_costs_what_its_family_costs) {
    const PriceTable& table = shipped_prices();
    EXPECT_EQ(table.find("gpt-4o-2024-08-06"), table.find("gpt-4o"));
    EXPECT_EQ(table.find("gpt-4o-20240806"), table.find("gpt-4o"));
    EXPECT_EQ(table.find("gpt-4o-mini-2024-07-18"), table.find("gpt-4o-mini"));
    for (const char* other : {"", "gpt-4o-", "gpt-4o-audio-preview", "gpt-4o-realtime-2024-12-17", "gpt-4o-2024-08",
                              "gpt-4o2024-08-06", "ft:gpt-4o-2024-08-06:org::id", "gpt-4o-12345678", "-2024-08-06",
                              "GPT-4o", "gpt-4o-2024-08-06-x", "gpt-6.1-sol"})
        EXPECT_EQ(table.find(other), nullptr) << other;
}

TEST(PriceTable, the_operators_prices_replace_the_shipped_ones) {
    PriceTable table = shipped_prices();
    const PriceList own = read_price_list(R"(
models:
  gpt-4o: { input: "1", output: "2" }
  house: { request: "0.5" }
)",
                                          "config");
    ASSERT_EQ(own.problems, std::vector<std::string>{});
    table.override_with(own.table);
    const PriceEntry& price = *table.find("gpt-4o")->at(day(2026, 1, 1));
    EXPECT_EQ(price.rates[input], 1'000'000);
    EXPECT_EQ(price.rates[cached_input], 1'000'000) << "nothing of the shipped price is left";
    EXPECT_TRUE(price.version.starts_with("config:"));
    EXPECT_EQ(cost({}, *table.find("house")->at(day(2026, 1, 1))).total, 500'000'000);
    EXPECT_NE(table.find("gpt-4o-mini"), nullptr);
}

TEST(PriceList, holds_several_dates_of_one_model_in_any_order) {
    const PriceList list = read_price_list(R"(
models:
  m:
    - { from: "2027-01-01", input: "1.5", output: "7.5" }
    - { input: "0.75", output: "3.75" }
)",
                                           "s");
    ASSERT_EQ(list.problems, std::vector<std::string>{});
    const Price& price = *list.table.find("m");
    EXPECT_EQ(price.at(day(2026, 12, 31))->rates[input], 750'000);
    EXPECT_EQ(price.at(day(2027, 1, 1))->rates[input], 1'500'000);
    EXPECT_NE(price.entries[0].version, price.entries[1].version);
}

TEST(PriceList, a_model_with_a_fault_is_left_out_and_named) {
    const PriceList list = read_price_list(R"(models:
  good: { input: "1" }
  unknown: { inputs: "1" }
  negative: { input: "-1" }
  fine: { input: "0.0000001" }
  empty: {}
  text: "1"
  date: { from: "tomorrow", input: "1" }
  tier: { input: "1", above: { many: { input: "2" } } }
  none: []
  twice: [ { input: "1" }, { input: "2" } ]
)",
                                           "s");
    EXPECT_EQ(list.table.models().size(), 1U);
    ASSERT_GE(list.problems.size(), 9U);
    EXPECT_EQ(list.problems[0], "line 3: unknown key `inputs`");
    EXPECT_NE(list.table.find("good"), nullptr);
    EXPECT_FALSE(read_price_list("", "s").problems.empty());
    EXPECT_FALSE(read_price_list("model: {}", "s").problems.empty());
    EXPECT_FALSE(read_price_list("models: [", "s").problems.empty());
}

} // namespace
} // namespace tollgate::policy
