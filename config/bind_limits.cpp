#include "config/bind_limits.hpp"

#include <algorithm>
#include <array>

namespace tollgate::config {
namespace {

using std::chrono::sys_seconds;

constexpr std::array<std::string_view, 4> kModes = {"strict", "balanced", "last_call", "soft"};
constexpr std::array<std::string_view, 8> kPeriods = {"hour",    "day",  "week",    "month",
                                                      "quarter", "year", "rolling", "lifetime"};
constexpr std::array<std::string_view, 7> kDays = {"sunday",   "monday", "tuesday", "wednesday",
                                                   "thursday", "friday", "saturday"};

// Index of the written word, which the key table allows; `otherwise` if none is written.
template <std::size_t N>
std::size_t index_of(const Value& section, std::string_view key, const std::array<std::string_view, N>& words,
                     std::size_t otherwise) {
    const auto* const word = section.get<std::string>(key);
    if (word == nullptr) return otherwise;
    const auto found = static_cast<std::size_t>(std::ranges::find(words, *word) - words.begin());
    return found < N ? found : otherwise;
}

LimitMode mode_of(const Value& section) {
    return static_cast<LimitMode>(index_of(section, "mode", kModes, 0));
}

bool shadow_of(const Value& section) {
    const bool* const shadow = section.get<bool>("shadow");
    return shadow != nullptr && *shadow;
}

std::optional<Raise> raise_of(const Value& section) {
    const auto* const by = section.get<std::uint64_t>("raise.by");
    const auto* const until = section.get<sys_seconds>("raise.until");
    if (by == nullptr || until == nullptr) return std::nullopt;
    return Raise{*by, *until};
}

OnExhausted exhausted_of(const Value& section) {
    const auto* const word = section.get<std::string>("on_exhausted");
    return word != nullptr && *word == "cut" ? OnExhausted::cut : OnExhausted::finish;
}

std::optional<Limit> limit_of(const Value& limits, std::string_view name) {
    const Value* const section = limits.find(name);
    const auto* const amount = section != nullptr ? section->get<std::uint64_t>("limit") : nullptr;
    if (amount == nullptr) return std::nullopt;
    Limit out;
    out.amount = *amount;
    if (const auto* const burst = section->get<std::uint64_t>("burst")) out.burst = *burst;
    out.mode = mode_of(*section);
    out.shadow = shadow_of(*section);
    out.on_exhausted = exhausted_of(*section);
    out.raise = raise_of(*section);
    out.mark = section->place.mark;
    return out;
}

std::optional<BudgetRaise> budget_raise_of(const Value& section) {
    const auto* const by = section.get<std::int64_t>("raise.by");
    const auto* const until = section.get<sys_seconds>("raise.until");
    if (by == nullptr || until == nullptr) return std::nullopt;
    return BudgetRaise{*by, *until};
}

Budget budget_of(const Value& section) {
    Budget out;
    if (const auto* const usd = section.get<std::int64_t>("usd")) out.nano = *usd;
    out.per = static_cast<Per>(index_of(section, "per", kPeriods, static_cast<std::size_t>(Per::month)));
    if (const auto* const zone = section.get<std::string>("timezone")) out.timezone = *zone;
    if (const auto* const day = section.get<std::uint64_t>("anchor_day")) out.anchor_day = static_cast<unsigned>(*day);
    out.week_start = std::chrono::weekday(static_cast<unsigned>(index_of(section, "week_start", kDays, 1)));
    if (const auto* const window = section.get<std::chrono::milliseconds>("window"))
        out.window = std::chrono::ceil<std::chrono::seconds>(*window);
    out.mode = mode_of(section);
    out.shadow = shadow_of(section);
    out.on_exhausted = exhausted_of(section);
    out.raise = budget_raise_of(section);
    out.mark = section.place.mark;
    out.timezone_mark = section.place_of("timezone").mark;
    return out;
}

PriceRates rates_of(const Value& section) {
    PriceRates out;
    for (const Value& member : section.members) {
        const auto* const rate = std::get_if<std::int64_t>(&member.data);
        if (rate != nullptr && member.valid) out.emplace(member.name, *rate);
    }
    return out;
}

PriceCard card_of(const Value& section) {
    PriceCard out;
    if (const auto* const from = section.get<sys_seconds>("from")) out.from = *from;
    out.rates = rates_of(section);
    if (const Value* const tiers = section.find("tiers")) {
        for (const Value& tier : tiers->members) {
            const auto* const above = tier.get<std::uint64_t>("above");
            if (above != nullptr) out.tiers.push_back({*above, rates_of(tier)});
        }
    }
    if (const Value* const factors = section.find("service_tiers")) {
        constexpr std::int64_t kThousandth = 1'000'000; // of a dollar in nano-USD: factors are read as amounts are
        for (const auto& [name, factor] : rates_of(*factors))
            out.service.emplace(name, static_cast<std::uint32_t>(factor / kThousandth));
    }
    out.mark = section.place.mark;
    return out;
}

} // namespace

Limits bind_limits(const Value& section) {
    const Value* const limits = section.find("limits");
    if (limits == nullptr) return {};
    Limits out;
    out.rpm = limit_of(*limits, "rpm");
    out.tpm = limit_of(*limits, "tpm");
    out.input_tpm = limit_of(*limits, "input_tpm");
    out.output_tpm = limit_of(*limits, "output_tpm");
    out.concurrency = limit_of(*limits, "concurrency");
    const auto* const burst = limits->get<std::uint64_t>("burst");
    if (burst != nullptr && out.rpm) out.rpm->burst = *burst;
    return out;
}

std::vector<Budget> bind_budgets(const Value& section) {
    std::vector<Budget> out;
    const Value* const budgets = section.find("budget");
    if (budgets == nullptr) return out;
    for (const Value& item : budgets->members) out.push_back(budget_of(item));
    return out;
}

ModelShares bind_shares(const Value& section) {
    ModelShares out;
    const Value* const shares = section.find("per_model");
    if (shares == nullptr) return out;
    for (const Value& share : shares->members)
        out.emplace(share.name, ModelShare{bind_limits(share), bind_budgets(share), share.place.mark});
    return out;
}

std::vector<PriceCard> bind_price_cards(const Value& section) {
    std::vector<PriceCard> out;
    const Value* const cards = section.find("price");
    if (cards == nullptr) return out;
    for (const Value& card : cards->members) out.push_back(card_of(card));
    return out;
}

} // namespace tollgate::config
