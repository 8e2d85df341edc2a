// What an answer used: as the provider reports it, and as it is counted where no report comes. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tollgate::api {

// No answer holds more of anything; a figure above it is a fault of the provider's (scenario 21).
inline constexpr std::uint64_t kMostCount = 1'000'000'000;

// Counts as OpenAI means them (api-surface §5.1): the details are parts of `input` and of `output`. What nobody
// reported is unknown, which is not 0.
// What the provider says of its service; it decides the price (api-surface §5.1).
enum class ServedTier : std::uint8_t { unsaid, list, flex, batch, priority, fast };

struct Usage {
    std::optional<std::uint64_t> input{};       // tokens, all kinds
    std::optional<std::uint64_t> cached{};      // … of them read from the provider's prompt cache
    std::optional<std::uint64_t> cache_write{}; // … written to it
    std::optional<std::uint64_t> audio_in{};    // … of sound
    std::optional<std::uint64_t> image_in{};    // … of images
    std::optional<std::uint64_t> output{};      // tokens, all kinds
    std::optional<std::uint64_t> reasoning{};   // … of them not shown
    std::optional<std::uint64_t> audio_out{};   // … of sound
    std::optional<std::uint64_t> images{};      // made
    std::optional<std::uint64_t> audio_ms{};    // sound heard, where it is billed by its length
    std::optional<std::uint64_t> tool_calls{};  // of tools that ran at the provider, where the answer lists them
    ServedTier tier = ServedTier::unsaid;

    bool refused = false;   // a figure was negative, no whole number, absurd, or contradicted its total: not taken
    bool estimated = false; // some figure was counted here, not reported

    [[nodiscard]] bool reported() const noexcept { return input || output || images || audio_ms; }
    friend bool operator==(const Usage&, const Usage&) = default;
};

// A stream's next report over the ones before it. Reports are cumulative: the last figure of each kind counts (F17),
// and one that was refused changes nothing. Only images are told one by one.
void merge_report(Usage& so_far, const Usage& next) noexcept;

// Counts the generated text that goes by, for streams that end without a report. Looks at every octet once, allocates
// nothing, and does not mind what is not JSON.
class DeliveredText {
  public:
    // The data of one event of a chat, completions or responses stream, or a whole answer. Text, refusals, reasoning
    // and arguments of calls count; events of the responses dialect that repeat what their deltas brought do not.
    void observe(std::string_view json) noexcept;
    // Text that was counted elsewhere.
    void add(std::uint64_t deltas, std::uint64_t octets) noexcept {
        deltas_ += deltas;
        octets_ += octets;
    }

    [[nodiscard]] std::uint64_t deltas() const noexcept { return deltas_; } // strings that were not empty
    [[nodiscard]] std::uint64_t octets() const noexcept { return octets_; } // of them, unescaped

  private:
    std::uint64_t deltas_ = 0;
    std::uint64_t octets_ = 0;
};

// Whether a string of that name is generated text, in an answer or an event of any dialect.
[[nodiscard]] bool is_text_member(std::string_view name) noexcept;

// Tokens in a thousand octets of text where nothing was learned yet: a token of English has about four octets.
inline constexpr std::uint32_t kUsualTokensPer1000Octets = 300;

// Never below one token for each delta, since no provider splits a token.
[[nodiscard]] std::uint64_t estimated_output(const DeliveredText& delivered,
                                             std::uint32_t tokens_per_1000_octets) noexcept;

struct Observed {
    std::uint64_t input_estimate = 0; // of the request, see estimate.hpp
    std::uint32_t tokens_per_1000_octets = kUsualTokensPer1000Octets;
    bool complete = true; // the answer came to its own end
};

// What is charged: the report, and an estimate, flagged, in place of what it does not say. An answer that broke off is
// charged no less than was delivered, whatever an interim report said. A report of nothing where something was sent or
// delivered is refused. `input` and `output` are known afterwards, and `output` is not 0 if anything was delivered
// (scenarios 47, 48).
[[nodiscard]] Usage settled_usage(const Usage& report, const DeliveredText& delivered,
                                  const Observed& observed) noexcept;

} // namespace tollgate::api
