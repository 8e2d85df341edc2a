#include "policy/price/book.hpp"

#include "config/expand.hpp"

#include <algorithm>
#include <chrono>

namespace tollgate::policy {
namespace {

constexpr std::string_view kSource = "config";
constexpr std::string_view kImported = "import";
constexpr std::size_t kLargestFile = std::size_t{64} << 20;

void lay_over(RateCard& card, const config::PriceRates& rates) {
    for (std::size_t i = 0; i < kPriceClassCount; ++i) {
        const auto price_class = static_cast<PriceClass>(i);
        const auto found = rates.find(to_string(price_class));
        if (found != rates.end()) card[price_class] = found->second;
    }
}

PriceEntry entry_of(const config::PriceCard& written) {
    PriceEntry entry;
    constexpr std::chrono::sys_seconds kLast = std::chrono::floor<std::chrono::seconds>(WallTime::max());
    if (written.from) entry.from = std::min(*written.from, kLast); // the clock ends in 2262
    RateCard card;
    lay_over(card, written.rates);
    entry.rates = resolve(card);
    std::vector<config::PriceTier> tiers = written.tiers;
    std::ranges::sort(tiers, {}, &config::PriceTier::above);
    for (const config::PriceTier& tier : tiers) {
        // What a tier does not say costs what it cost below it, one tier down.
        lay_over(card, tier.rates);
        entry.tiers.push_back({tier.above, resolve(card)});
    }
    constexpr std::array<std::string_view, kServiceTierCount> kTiers{"list", "flex", "batch", "priority", "fast"};
    for (std::size_t i = 0; i < kTiers.size(); ++i) {
        const auto factor = written.service.find(kTiers[i]);
        if (factor != written.service.end()) entry.service[i] = factor->second;
    }
    entry.version = version_of(kSource, entry);
    return entry;
}

// A wildcard's own name is no model's.
bool is_pattern(std::string_view name) noexcept {
    return name.find('*') != std::string_view::npos;
}

} // namespace

Price price_of(const std::vector<config::PriceCard>& cards) {
    Price out;
    for (const config::PriceCard& card : cards) out.entries.push_back(entry_of(card));
    std::ranges::sort(out.entries, {}, &PriceEntry::from);
    return out;
}

std::expected<PriceBook, std::string> PriceBook::build(const config::Config& config) {
    PriceBook book;
    auto lists = std::make_shared<Lists>();
    if (config.prices.shipped) lists->shipped = shipped_prices();
    for (const std::string& path : config.prices.import) {
        const config::FileText file = config::read_file(path, kLargestFile);
        if (file.status == config::FileStatus::too_large)
            return std::unexpected("the price list " + path + " is larger than 64 MiB");
        if (file.status != config::FileStatus::ok)
            return std::unexpected("the price list " + path + " cannot be read: " + file.reason);
        const PriceList list = import_model_prices(file.text, kImported);
        for (const std::string& problem : list.problems) book.problems_.push_back(path + ": " + problem);
        if (list.table.models().empty()) {
            const std::string why = list.problems.empty() ? std::string() : ": " + list.problems.back();
            return std::unexpected("the price list " + path + " holds no price" + why);
        }
        lists->imported.override_with(list.table);
    }
    for (const auto& [name, model] : config.models) {
        if (!model.prices.empty()) book.configured_[name] = std::make_shared<const Price>(price_of(model.prices));
    }
    book.lists_ = std::move(lists);
    return book;
}

std::shared_ptr<const Price> PriceBook::listed(const PriceTable& table, std::string_view name) const {
    const Price* const price = name.empty() || is_pattern(name) ? nullptr : table.find(name);
    return price == nullptr ? nullptr : std::shared_ptr<const Price>(lists_, price);
}

std::shared_ptr<const Price> PriceBook::find(std::string_view upstream_model) const {
    if (!lists_) return nullptr;
    std::shared_ptr<const Price> found = listed(lists_->imported, upstream_model);
    return found ? found : listed(lists_->shipped, upstream_model);
}

std::shared_ptr<const Price> PriceBook::find(const config::Model& model, const config::Upstream& upstream) const {
    if (const auto own = configured_.find(model.name); own != configured_.end()) return own->second;
    if (!lists_) return nullptr;
    for (const PriceTable* const table : {&lists_->imported, &lists_->shipped}) {
        for (const std::string& name : {upstream.model, model.name}) {
            if (auto found = listed(*table, name)) return found;
        }
    }
    return nullptr;
}

std::shared_ptr<const Price> PriceBook::find(const config::Model& model) const {
    std::multimap<unsigned, const config::Upstream*> by_order;
    for (const config::Upstream& upstream : model.upstreams) by_order.emplace(upstream.order, &upstream);
    for (const auto& [order, upstream] : by_order) {
        if (auto found = find(model, *upstream)) return found;
    }
    return nullptr;
}

} // namespace tollgate::policy
