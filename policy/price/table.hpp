// Prices by model name. Pure values; built at start or on a reload, immutable afterwards.
#pragma once

#include "policy/price/price.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::policy {

class PriceTable {
  public:
    // Replaces what the name had. Entries may come in any order.
    void set(std::string model, Price price);
    // Every model of `other` replaces its namesake here: the operator's prices over the shipped ones.
    void override_with(const PriceTable& other);

    // The price of this very name, else of the family if the name is a dated snapshot of it (`gpt-4o-2024-08-06`,
    // `…-20240806`, api-surface §9). Nothing for any other suffix: `-mini`, `-audio` and fine-tuned models have prices
    // of their own, and an unknown price is not zero. Lives as long as the table.
    [[nodiscard]] const Price* find(std::string_view model) const noexcept;

    [[nodiscard]] const std::map<std::string, Price, std::less<>>& models() const noexcept { return models_; }

  private:
    std::map<std::string, Price, std::less<>> models_;
};

// What a file held, and what of it could not be taken: a model with a fault is left out, the others stay.
struct PriceList {
    PriceTable table;
    std::vector<std::string> problems;
};

// Our own format, see deploy/prices/openai.yaml. `source` begins the versions of its entries.
[[nodiscard]] PriceList read_price_list(std::string_view yaml, std::string_view source);

// List prices of the main models as this build knows them. Read once, at the first call; thread-safe.
[[nodiscard]] const PriceTable& shipped_prices();
// The text it is read from.
[[nodiscard]] std::string_view shipped_price_list() noexcept;

// The widespread `model_prices_and_context_window.json`: USD for one token as JSON numbers, converted from their text.
// An unusable file yields no model and says why; cost fields that have no class here are named, once each.
[[nodiscard]] PriceList import_model_prices(std::string_view json, std::string_view source);

} // namespace tollgate::policy
