// What a request costs: counted units × prices, in integers, rounded up once (limits-cache §2.1, design §9). Pure.
#pragma once

#include "gateway/base/time.hpp"
#include "policy/price/money.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::policy {

// Everything that has a price of its own. Tokens first: they are what tiers and fallbacks speak about.
enum class PriceClass : std::uint8_t {
    input,        // token
    cached_input, // token read from the provider's prompt cache
    cache_write,  // token written to it
    audio_in,     // token of sound in the input
    image_in,     // token of an image in the input
    output,       // token
    reasoning,    // token of the output that is not shown
    audio_out,    // token of sound in the output
    image,        // image made
    audio_second, // second of sound heard
    request,
    tool_call, // of a hosted tool
};
inline constexpr std::size_t kPriceClassCount = static_cast<std::size_t>(PriceClass::tool_call) + 1;
// The key under which files hold it: "cached_input".
[[nodiscard]] std::string_view to_string(PriceClass price_class) noexcept;

// Indexed by PriceClass.
template <class T>
class PerClass {
  public:
    [[nodiscard]] constexpr T& operator[](PriceClass c) noexcept { return values_[static_cast<std::size_t>(c)]; }
    [[nodiscard]] constexpr const T& operator[](PriceClass c) const noexcept {
        return values_[static_cast<std::size_t>(c)];
    }
    [[nodiscard]] constexpr auto begin() const noexcept { return values_.begin(); }
    [[nodiscard]] constexpr auto end() const noexcept { return values_.end(); }
    friend bool operator==(const PerClass&, const PerClass&) = default;

  private:
    std::array<T, kPriceClassCount> values_{};
};

// What somebody wrote; never negative. A class without a price of its own costs what its kind costs: cached, written,
// heard and seen tokens are input, reasoning and spoken ones output. Nothing at all is free of charge.
using RateCard = PerClass<std::optional<PicoUsd>>;
// The same with every class filled in.
using Rates = PerClass<PicoUsd>;
[[nodiscard]] Rates resolve(const RateCard& card) noexcept;

// Rates of the whole request once its whole input is larger than `above` tokens (api-surface §9).
struct Tier {
    std::uint64_t above = 0;
    Rates rates;
    friend bool operator==(const Tier&, const Tier&) = default;
};

// How fast or how late the provider served a request, as its answer says; the whole bill is multiplied by it.
enum class ServiceTier : std::uint8_t { list, flex, batch, priority, fast };
inline constexpr std::size_t kServiceTierCount = static_cast<std::size_t>(ServiceTier::fast) + 1;
// Thousandths of the list price, by ServiceTier. Nobody has said otherwise: what is cheaper costs the list price, what
// is dearer twice as much.
using ServiceFactors = std::array<std::uint32_t, kServiceTierCount>;
inline constexpr ServiceFactors kUsualFactors{1'000, 1'000, 1'000, 2'000, 2'000};

// The prices of one model from one day on. A reservation keeps the entry it was made with and settles by it, whatever
// is in force by then.
struct PriceEntry {
    WallTime from = WallTime::min();
    std::string version; // names these very numbers: equal text, equal prices; see version_of
    Rates rates;
    std::vector<Tier> tiers; // by rising `above`
    ServiceFactors service = kUsualFactors;
};

struct Price {
    std::vector<PriceEntry> entries; // by rising `from`
    // The last one that has begun; nothing before the first.
    [[nodiscard]] const PriceEntry* at(WallTime now) const noexcept;
};

// "source:0123456789": the same on every process that has the same numbers, another one once any of them changes.
[[nodiscard]] std::string version_of(std::string_view source, const PriceEntry& entry);

// What was used, once nothing of it is unknown any more: an unknown count must have been estimated by then. The details
// are parts of their totals, as OpenAI counts (api-surface §5.1); where they contradict the total, the total is
// charged, the dearest details first.
struct Consumption {
    std::uint64_t input = 0; // tokens, all kinds
    std::uint64_t cached_input = 0;
    std::uint64_t cache_write = 0;
    std::uint64_t audio_in = 0;
    std::uint64_t image_in = 0;
    std::uint64_t output = 0; // tokens, all kinds
    std::uint64_t reasoning = 0;
    std::uint64_t audio_out = 0;
    std::uint64_t images = 0;
    std::uint64_t audio_ms = 0; // heard
    std::uint64_t requests = 1;
    std::uint64_t tool_calls = 0;
    ServiceTier service = ServiceTier::list;
};

struct Cost {
    NanoUsd total = 0;            // of the exact sum, rounded up once; kMostNano if it does not fit
    PerClass<PicoUsd> components; // each rounded up to a pico-USD for itself (only parts of a second are finer)
    bool saturated = false;       // something did not fit
};

[[nodiscard]] Cost cost(const Consumption& used, const PriceEntry& price) noexcept;
// Nothing if no entry had begun: the model is unpriced then, not free.
[[nodiscard]] std::optional<Cost> cost(const Consumption& used, const Price& price, WallTime now) noexcept;

// The most a request can use, before it is sent.
struct ConsumptionBound {
    std::uint64_t input = 0;
    std::uint64_t output = 0;
    std::uint64_t images = 0;
    std::uint64_t audio_ms = 0;
    std::uint64_t requests = 1;
    std::uint64_t tool_calls = 0;
    bool hears = true; // the input may hold sound, or images: said false only if it is known
    bool sees = true;
    bool speaks = true; // the output may hold sound
};

// No consumption within the bound costs more at the list price, whatever its mixture of classes and whichever tier of
// its size it reaches.
[[nodiscard]] NanoUsd upper_bound(const ConsumptionBound& bound, const PriceEntry& price) noexcept;

// The same as a line over the output, whose length is not decided yet: no output within the bound costs more than
// `fixed` + tokens × `each`. Saturates.
struct OpenBound {
    PicoUsd fixed = 0;
    PicoUsd each = 0;
};
[[nodiscard]] OpenBound open_bound(const ConsumptionBound& bound, const PriceEntry& price) noexcept;

// The price of a class in the dearest tier.
[[nodiscard]] PicoUsd dearest_rate(PriceClass price_class, const PriceEntry& price) noexcept;

} // namespace tollgate::policy
