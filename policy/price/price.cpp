#include "policy/price/price.hpp"

#include "gateway/base/crypto.hpp"

#include <algorithm>
#include <initializer_list>
#include <limits>

namespace tollgate::policy {
namespace {

__extension__ using Wide = unsigned __int128;

using enum PriceClass;

constexpr Wide kMillisPerSecond = 1'000;
constexpr Wide kPicosPerNano = 1'000;
constexpr std::uint32_t kListPrice = 1'000; // thousandths
constexpr std::uint64_t kMostPico = static_cast<std::uint64_t>(std::numeric_limits<PicoUsd>::max());

// Sums up millionths of a pico-USD, so that neither milliseconds at a price per second nor thousandths of the price
// need a rounding of their own.
class Bill {
  public:
    explicit Bill(const Rates& rates, std::uint32_t permille = kListPrice) : rates_(rates), permille_(permille) {}

    void units(PriceClass c, std::uint64_t count) noexcept { charge(c, count, kMillisPerSecond); }
    void thousandths(PriceClass c, std::uint64_t count) noexcept { charge(c, count, 1); }

    [[nodiscard]] Cost close() const noexcept {
        constexpr Wide kUnit = kMillisPerSecond * kListPrice * kPicosPerNano;
        Cost out = cost_;
        const Wide nano = sum_ / kUnit + (sum_ % kUnit != 0 ? 1 : 0);
        out.saturated = overflow_ || nano > static_cast<Wide>(kMostNano);
        out.total = out.saturated ? kMostNano : static_cast<NanoUsd>(nano);
        return out;
    }

  private:
    void charge(PriceClass c, std::uint64_t count, Wide unit) noexcept {
        // A price is not negative, and 64 by 63 bits always fit.
        Wide amount = static_cast<Wide>(count) * static_cast<std::uint64_t>(rates_[c]);
        if (__builtin_mul_overflow(amount, unit * permille_, &amount)) amount = ~Wide{0};
        constexpr Wide kUnit = kMillisPerSecond * kListPrice;
        const Wide pico = amount / kUnit + (amount % kUnit != 0 ? 1 : 0);
        cost_.components[c] = static_cast<PicoUsd>(std::min<Wide>(pico, kMostPico));
        overflow_ |= pico > kMostPico || __builtin_add_overflow(sum_, amount, &sum_);
    }

    const Rates& rates_;
    const std::uint32_t permille_;
    Cost cost_;
    Wide sum_ = 0;
    bool overflow_ = false;
};

struct Part {
    PriceClass price_class;
    std::uint64_t count;
};

// Charges the parts of a total, the dearest first, and the remainder as `plain`: together never more than the total.
template <std::size_t N>
void charge_parts(Bill& bill, const Rates& rates, PriceClass plain, std::uint64_t total, std::array<Part, N> parts) {
    std::ranges::sort(parts, std::ranges::greater{}, [&](const Part& part) { return rates[part.price_class]; });
    for (const Part& part : parts) {
        const std::uint64_t count = std::min(part.count, total);
        bill.units(part.price_class, count);
        total -= count;
    }
    bill.units(plain, total);
}

const Rates& rates_for(const PriceEntry& price, std::uint64_t input) noexcept {
    const Rates* rates = &price.rates;
    for (const Tier& tier : price.tiers) {
        if (input > tier.above) rates = &tier.rates;
    }
    return *rates;
}

PicoUsd dearest(const Rates& rates, std::initializer_list<PriceClass> classes) noexcept {
    PicoUsd most = 0;
    for (const PriceClass c : classes) most = std::max(most, rates[c]);
    return most;
}

// With every token at the dearest class it can be of.
Rates dear_rates(const ConsumptionBound& bound, const Rates& rates) noexcept {
    Rates dear = rates;
    dear[input] = dearest(
        rates, {input, cached_input, cache_write, bound.hears ? audio_in : input, bound.sees ? image_in : input});
    dear[output] = dearest(rates, {output, reasoning, bound.speaks ? audio_out : output});
    return dear;
}

Cost bound_at(const ConsumptionBound& bound, const Rates& dear) noexcept {
    Bill bill(dear);
    bill.units(input, bound.input);
    bill.units(output, bound.output);
    bill.units(image, bound.images);
    bill.thousandths(audio_second, bound.audio_ms);
    bill.units(request, bound.requests);
    bill.units(tool_call, bound.tool_calls);
    return bill.close();
}

template <class Take>
void for_each_reachable(const ConsumptionBound& bound, const PriceEntry& price, Take take) {
    take(dear_rates(bound, price.rates));
    for (const Tier& tier : price.tiers) {
        if (bound.input > tier.above) take(dear_rates(bound, tier.rates));
    }
}

void append_rates(std::string& out, const Rates& rates) {
    for (const PicoUsd rate : rates) out += std::to_string(rate) + ",";
}

} // namespace

std::string_view to_string(PriceClass price_class) noexcept {
    static constexpr std::array<std::string_view, kPriceClassCount> kNames{
        "input",     "cached_input", "cache_write", "audio_in",     "image_in", "output",
        "reasoning", "audio_out",    "image",       "audio_second", "request",  "tool_call"};
    return kNames[static_cast<std::size_t>(price_class)];
}

Rates resolve(const RateCard& card) noexcept {
    Rates out;
    for (const PriceClass c : {input, output, image, audio_second, request, tool_call}) out[c] = card[c].value_or(0);
    for (const PriceClass c : {cached_input, cache_write, audio_in, image_in}) out[c] = card[c].value_or(out[input]);
    for (const PriceClass c : {reasoning, audio_out}) out[c] = card[c].value_or(out[output]);
    return out;
}

const PriceEntry* Price::at(WallTime now) const noexcept {
    const PriceEntry* found = nullptr;
    for (const PriceEntry& entry : entries) {
        if (entry.from <= now) found = &entry;
    }
    return found;
}

std::string version_of(std::string_view source, const PriceEntry& entry) {
    std::string text = std::to_string(entry.from.time_since_epoch().count()) + ";";
    append_rates(text, entry.rates);
    for (const Tier& tier : entry.tiers) {
        text += ";" + std::to_string(tier.above) + ":";
        append_rates(text, tier.rates);
    }
    if (entry.service != kUsualFactors) {
        for (const std::uint32_t factor : entry.service) text += ";" + std::to_string(factor);
    }
    return std::string(source) + ":" + crypto::to_hex(crypto::sha256(text)).substr(0, 10);
}

Cost cost(const Consumption& used, const PriceEntry& price) noexcept {
    const Rates& rates = rates_for(price, used.input);
    Bill bill(rates, price.service[static_cast<std::size_t>(used.service)]);
    charge_parts(bill, rates, input, used.input,
                 std::array{Part{cache_write, used.cache_write}, Part{audio_in, used.audio_in},
                            Part{image_in, used.image_in}, Part{cached_input, used.cached_input}});
    charge_parts(bill, rates, output, used.output,
                 std::array{Part{audio_out, used.audio_out}, Part{reasoning, used.reasoning}});
    bill.units(image, used.images);
    bill.thousandths(audio_second, used.audio_ms);
    bill.units(request, used.requests);
    bill.units(tool_call, used.tool_calls);
    return bill.close();
}

std::optional<Cost> cost(const Consumption& used, const Price& price, WallTime now) noexcept {
    const PriceEntry* const entry = price.at(now);
    if (entry == nullptr) return std::nullopt;
    return cost(used, *entry);
}

NanoUsd upper_bound(const ConsumptionBound& bound, const PriceEntry& price) noexcept {
    NanoUsd most = 0;
    for_each_reachable(bound, price, [&](const Rates& dear) { most = std::max(most, bound_at(bound, dear).total); });
    return most;
}

OpenBound open_bound(const ConsumptionBound& bound, const PriceEntry& price) noexcept {
    ConsumptionBound silent = bound;
    silent.output = 0;
    OpenBound out;
    for_each_reachable(bound, price, [&](const Rates& dear) {
        PicoUsd fixed = 0;
        for (const PicoUsd part : bound_at(silent, dear).components) {
            if (__builtin_add_overflow(fixed, part, &fixed)) fixed = std::numeric_limits<PicoUsd>::max();
        }
        out.fixed = std::max(out.fixed, fixed);
        out.each = std::max(out.each, dear[output]);
    });
    return out;
}

PicoUsd dearest_rate(PriceClass price_class, const PriceEntry& price) noexcept {
    PicoUsd most = price.rates[price_class];
    for (const Tier& tier : price.tiers) most = std::max(most, tier.rates[price_class]);
    return most;
}

} // namespace tollgate::policy
