#include "policy/price/table.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace tollgate::policy {
namespace {

using enum PriceClass;
using std::string;

const PriceEntry& entry(const PriceList& list, std::string_view model) {
    const Price* const price = list.table.find(model);
    if (price == nullptr) throw std::out_of_range(string(model));
    return price->entries.at(0);
}

TEST(ImportModelPrices, doubles_in_scientific_notation_become_exact_integers) {
    const PriceList list = import_model_prices(R"({
  "sample_spec": { "input_cost_per_token": "the price", "max_tokens": "set to max output tokens", "mode": "one of" },
  "gpt-4o-mini": { "input_cost_per_token": 1.5e-07, "output_cost_per_token": 6e-07,
                   "cache_read_input_token_cost": 7.5e-08, "litellm_provider": "openai", "mode": "chat",
                   "supports_vision": true, "max_tokens": 16384, "tags": [{"a": [1, 2]}] },
  "azure/long": { "input_cost_per_token": 0.00000125, "output_cost_per_token": 1E-5, "mode": "chat",
                  "input_cost_per_token_above_200k_tokens": 2.5e-06,
                  "output_cost_per_token_above_200k_tokens": 1.5e-05 },
  "embed": { "input_cost_per_token": 2e-08, "output_cost_per_token": 0.0, "mode": "embedding" },
  "whisper": { "input_cost_per_second": 0.0001, "mode": "audio_transcription" },
  "sound": { "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05, "mode": "chat",
             "input_cost_per_audio_token": 4e-05, "output_cost_per_audio_token": 8e-05,
             "output_cost_per_reasoning_token": null }
})",
                                               "imported");
    EXPECT_EQ(list.problems, std::vector<string>{});
    EXPECT_EQ(list.table.models().size(), 5U);
    EXPECT_EQ(entry(list, "gpt-4o-mini").rates[input], 150'000);
    EXPECT_EQ(entry(list, "gpt-4o-mini").rates[cached_input], 75'000);
    EXPECT_EQ(entry(list, "gpt-4o-mini").rates[output], 600'000);
    const PriceEntry& tiered = entry(list, "azure/long");
    EXPECT_EQ(tiered.rates[input], 1'250'000);
    ASSERT_EQ(tiered.tiers.size(), 1U);
    EXPECT_EQ(tiered.tiers[0].above, 200'000U);
    EXPECT_EQ(tiered.tiers[0].rates[input], 2'500'000);
    EXPECT_EQ(tiered.tiers[0].rates[cached_input], 2'500'000);
    EXPECT_EQ(tiered.tiers[0].rates[output], 15'000'000);
    EXPECT_EQ(entry(list, "embed").rates[input], 20'000);
    EXPECT_EQ(cost({.audio_ms = 60'000}, entry(list, "whisper")).total, 6'000'000);
    EXPECT_EQ(entry(list, "sound").rates[audio_out], 80'000'000);
    EXPECT_EQ(entry(list, "sound").rates[reasoning], 10'000'000) << "null is no price";
}

TEST(ImportModelPrices, gives_the_same_version_as_our_own_file) {
    const PriceList theirs =
        import_model_prices(R"({"m":{"input_cost_per_token":1.5e-7,"output_cost_per_token":6e-7}})", "s");
    const PriceList ours = read_price_list(R"(models: { m: { input: "0.15", output: "0.6" } })", "s");
    EXPECT_EQ(entry(theirs, "m").version, entry(ours, "m").version);
}

TEST(ImportModelPrices, what_cannot_be_taken_over_is_named) {
    const PriceList list = import_model_prices(R"({
  "good": { "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "mode": "chat",
            "input_cost_per_token_batches": 5e-7 },
  "rounded": { "input_cost_per_token": 1.9999999999999998e-07, "output_cost_per_token": 1e-06, "mode": "chat" },
  "half": { "input_cost_per_token": 1e-6, "mode": "chat" },
  "minus": { "input_cost_per_token": -1e-6, "output_cost_per_token": 1e-6 },
  "words": { "input_cost_per_token": "1e-6", "output_cost_per_token": 1e-6 },
  "pixels": { "input_cost_per_pixel": 1e-8, "mode": "image_generation" },
  "huge": { "input_cost_per_token": 1e30 },
  "good": { "input_cost_per_token": 9, "output_cost_per_token": 9, "mode": "chat" },
  "nothing": { "mode": "chat" },
  "list": [],
  "batches": { "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "input_cost_per_token_batches": 5e-7 }
})",
                                               "imported");
    const std::vector<string> wanted{
        "`rounded`: prices finer than a pico-USD are rounded up",
        "`half` is left out: the price of its input or of its output is missing",
        "`minus` is left out: `input_cost_per_token`: an amount of money is not negative",
        "`words` is left out: `input_cost_per_token` is not a number",
        "`pixels` is left out: none of its prices is understood",
        "`huge` is left out: `input_cost_per_token`: too large",
        "`good` is left out: appears twice",
        "`list` is left out: not an object",
        "`input_cost_per_pixel` is not taken over (1 models)",
        "`input_cost_per_token_batches` is not taken over (2 models)",
    };
    EXPECT_EQ(list.problems, wanted);
    EXPECT_EQ(list.table.models().size(), 3U);
    EXPECT_EQ(entry(list, "good").rates[input], 1'000'000);
    EXPECT_EQ(entry(list, "rounded").rates[input], 200'000);
    EXPECT_EQ(list.table.find("nothing"), nullptr) << "without a price, not free";
}

TEST(ImportModelPrices, a_file_that_is_cut_short_yields_nothing) {
    const string whole = R"({"a":{"input_cost_per_token":1e-6,"output_cost_per_token":2e-6,"mode":"chat"},)"
                         R"("b":{"input_cost_per_token":1e-6,"output_cost_per_token":2e-6,"x":[{"y":"z"}]}})";
    ASSERT_EQ(import_model_prices(whole, "s").table.models().size(), 2U);
    for (std::size_t length = 0; length < whole.size(); ++length) {
        const PriceList list = import_model_prices(std::string_view(whole).substr(0, length), "s");
        EXPECT_TRUE(list.table.models().empty()) << length;
        EXPECT_FALSE(list.problems.empty()) << length;
    }
    for (const char* bad : {"[]", "null", "1", "{}x", R"({"a":1e-6})"})
        EXPECT_FALSE(import_model_prices(bad, "s").problems.empty()) << bad;
}

} // namespace
} // namespace tollgate::policy
