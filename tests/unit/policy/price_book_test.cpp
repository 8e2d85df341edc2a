#include "policy/price/book.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

namespace tollgate::policy {
namespace {

using enum PriceClass;
using namespace std::chrono_literals;
using std::chrono::sys_days;
using std::chrono::year;

config::Upstream upstream(std::string model, unsigned order = 1) {
    config::Upstream out;
    out.provider = "p";
    out.model = std::move(model);
    out.order = order;
    return out;
}

config::Model model_of(std::string name, std::vector<config::Upstream> upstreams) {
    config::Model out;
    out.name = std::move(name);
    out.upstreams = std::move(upstreams);
    return out;
}

config::PriceCard card(config::PriceRates rates) {
    config::PriceCard out;
    out.rates = std::move(rates);
    return out;
}

PicoUsd input_of(const std::shared_ptr<const Price>& price) {
    return price ? price->entries.at(0).rates[input] : -1;
}

class PriceFile {
  public:
    explicit PriceFile(std::string_view text)
        : path_(std::filesystem::temp_directory_path() / ("tollgate-prices-" + std::to_string(::getpid()) + ".json")) {
        std::ofstream(path_) << text;
    }
    ~PriceFile() { std::filesystem::remove(path_); }
    PriceFile(const PriceFile&) = delete;
    PriceFile& operator=(const PriceFile&) = delete;
    [[nodiscard]] std::string path() const { return path_.string(); }

  private:
    std::filesystem::path path_;
};

PriceBook book_of(const config::Config& config) {
    auto book = PriceBook::build(config);
    if (!book) throw std::runtime_error(book.error());
    return *book;
}

TEST(PriceBook, the_configuration_wins_over_a_file_and_a_file_over_the_shipped_list) {
    const PriceFile file(R"({ "gpt-4o": { "input_cost_per_token": 2e-06, "output_cost_per_token": 2e-06 },
                              "mine":   { "input_cost_per_token": 3e-06, "output_cost_per_token": 3e-06 } })");
    config::Config config;
    config.prices.import = {file.path()};
    config.models["own"] = model_of("own", {upstream("gpt-4o")});
    config.models["own"].prices = {card({{"input", 1'000'000}})};
    config.models["imported"] = model_of("imported", {upstream("gpt-4o")});
    config.models["mine"] = model_of("mine", {upstream("gpt-4o-mini")});
    config.models["shipped"] = model_of("shipped", {upstream("gpt-4o-mini")});
    config.models["none"] = model_of("none", {upstream("qwen3")});
    const PriceBook book = book_of(config);
    EXPECT_EQ(input_of(book.find(config.models["own"])), 1'000'000);
    EXPECT_EQ(input_of(book.find(config.models["imported"])), 2'000'000);
    EXPECT_EQ(input_of(book.find(config.models["mine"])), 3'000'000);
    EXPECT_EQ(input_of(book.find(config.models["shipped"])), 150'000);
    EXPECT_EQ(book.find(config.models["none"]), nullptr);
    EXPECT_EQ(book.problems(), std::vector<std::string>{});
}

TEST(PriceBook, upstreams_have_prices_of_their_own) {
    config::Config config;
    config.models["small"] = model_of("small", {upstream("gpt-4.1-nano", 2), upstream("gpt-4o-mini"), upstream("q")});
    const config::Model& model = config.models["small"];
    const PriceBook book = book_of(config);
    EXPECT_EQ(input_of(book.find(model, model.upstreams[0])), 100'000);
    EXPECT_EQ(input_of(book.find(model, model.upstreams[1])), 150'000);
    EXPECT_EQ(book.find(model, model.upstreams[2]), nullptr);
    EXPECT_EQ(input_of(book.find(model)), 150'000) << "of the first by order";
}

TEST(PriceBook, wildcards_are_priced_by_the_name_that_went_up) {
    config::Config config;
    config.models["gpt-*"] = model_of("gpt-*", {upstream("")});
    PriceBook book = book_of(config);
    EXPECT_EQ(book.find(config.models["gpt-*"]), nullptr);
    EXPECT_EQ(input_of(book.find("gpt-4o-mini-2024-07-18")), 150'000);
    EXPECT_EQ(book.find("ft:gpt-4o-mini:acme::1"), nullptr);
    EXPECT_EQ(book.find(""), nullptr);
    config.models["gpt-*"].prices = {card({{"input", 7}})};
    book = book_of(config);
    EXPECT_EQ(input_of(book.find(config.models["gpt-*"])), 7);
}

TEST(PriceBook, without_the_shipped_list_only_what_is_written_has_a_price) {
    config::Config config;
    config.prices.shipped = false;
    config.models["gpt-4o"] = model_of("gpt-4o", {upstream("gpt-4o")});
    EXPECT_EQ(book_of(config).find(config.models["gpt-4o"]), nullptr);
    EXPECT_EQ(PriceBook().find(config.models["gpt-4o"]), nullptr);
}

// A reservation settles by the price it was made with.
TEST(PriceBook, a_price_outlives_its_book) {
    std::shared_ptr<const Price> listed;
    {
        const PriceBook book = book_of({});
        listed = book.find("gpt-4o");
    }
    ASSERT_NE(listed, nullptr);
    EXPECT_EQ(listed->entries.at(0).rates[input], 2'500'000);
}

TEST(PriceBook, a_file_that_gives_no_price_is_an_error_and_a_model_left_out_a_problem) {
    config::Config config;
    config.prices.import = {"/nope/prices.json"};
    EXPECT_NE(PriceBook::build(config).error().find("/nope/prices.json cannot be read"), std::string::npos);
    {
        const PriceFile broken("[]");
        config.prices.import = {broken.path()};
        EXPECT_NE(PriceBook::build(config).error().find("holds no price"), std::string::npos);
    }
    const PriceFile half(R"({ "a": { "input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06 },
                              "b": { "input_cost_per_token": "1" } })");
    config.prices.import = {half.path()};
    const PriceBook book = book_of(config);
    EXPECT_NE(book.find("a"), nullptr);
    EXPECT_EQ(book.find("b"), nullptr);
    ASSERT_EQ(book.problems().size(), 1U);
    EXPECT_NE(book.problems()[0].find("`b` is left out"), std::string::npos);
}

TEST(PriceOf, every_class_of_the_configuration_is_one_of_the_bill) {
    config::PriceRates rates;
    for (const char* const name : {"input", "cached_input", "cache_write", "audio_in", "image_in", "output",
                                   "reasoning", "audio_out", "image", "audio_second", "request", "tool_call"})
        rates.emplace(name, static_cast<std::int64_t>(rates.size()) + 1);
    ASSERT_EQ(rates.size(), kPriceClassCount);
    const Price price = price_of({card(rates)});
    for (std::size_t i = 0; i < kPriceClassCount; ++i) {
        const auto c = static_cast<PriceClass>(i);
        EXPECT_EQ(price.entries.at(0).rates[c], rates.at(std::string(to_string(c)))) << to_string(c);
    }
}

TEST(PriceOf, tiers_keep_what_they_do_not_say_and_dates_decide) {
    config::PriceCard old = card({{"input", 10}, {"output", 20}});
    old.tiers = {{200, {{"output", 40}}}, {100, {{"input", 15}}}};
    config::PriceCard fresh = card({{"input", 1}});
    fresh.from = sys_days(year(2026) / 12 / 1);
    const Price price = price_of({fresh, old});
    const PriceEntry* const before = price.at(sys_days(year(2026) / 11 / 30) + 23h);
    ASSERT_NE(before, nullptr);
    EXPECT_EQ(before->rates[input], 10);
    EXPECT_EQ(before->rates[cached_input], 10);
    ASSERT_EQ(before->tiers.size(), 2U);
    EXPECT_EQ(before->tiers[0].above, 100U);
    EXPECT_EQ(before->tiers[0].rates[input], 15);
    EXPECT_EQ(before->tiers[0].rates[output], 20);
    EXPECT_EQ(before->tiers[1].rates[input], 15);
    EXPECT_EQ(before->tiers[1].rates[output], 40);
    EXPECT_EQ(price.at(sys_days(year(2026) / 12 / 1))->rates[input], 1);
    EXPECT_TRUE(before->version.starts_with("config:"));
    EXPECT_NE(before->version, price.at(sys_days(year(2026) / 12 / 1))->version);
}

} // namespace
} // namespace tollgate::policy
