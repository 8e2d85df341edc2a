#include "policy/price/table.hpp"

#include <algorithm>

namespace tollgate::policy {
namespace {

bool all_digits(std::string_view text) noexcept {
    return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// "2024-08-06"
bool is_dashed_date(std::string_view text) noexcept {
    return text.size() == 10 && text[4] == '-' && text[7] == '-' && all_digits(text.substr(0, 4)) &&
           all_digits(text.substr(5, 2)) && all_digits(text.substr(8, 2));
}

// The name in front of "-2024-08-06" or "-20240806"; empty if it ends in no date.
std::string_view family_of(std::string_view model) noexcept {
    for (const std::size_t length : {std::size_t{10}, std::size_t{8}}) {
        if (model.size() < length + 2) continue;
        const std::string_view date = model.substr(model.size() - length);
        const std::string_view rest = model.substr(0, model.size() - length);
        const bool dated = length == 10 ? is_dashed_date(date) : all_digits(date) && date.starts_with("20");
        if (dated && rest.ends_with('-')) return rest.substr(0, rest.size() - 1);
    }
    return {};
}

} // namespace

void PriceTable::set(std::string model, Price price) {
    std::ranges::sort(price.entries, {}, &PriceEntry::from);
    for (PriceEntry& entry : price.entries) std::ranges::sort(entry.tiers, {}, &Tier::above);
    models_.insert_or_assign(std::move(model), std::move(price));
}

void PriceTable::override_with(const PriceTable& other) {
    for (const auto& [model, price] : other.models_) models_.insert_or_assign(model, price);
}

const Price* PriceTable::find(std::string_view model) const noexcept {
    auto found = models_.find(model);
    if (found == models_.end()) found = models_.find(family_of(model));
    return found == models_.end() ? nullptr : &found->second;
}

} // namespace tollgate::policy
