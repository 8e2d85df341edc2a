#include "gateway/api/usage.hpp"

#include <algorithm>
#include <array>

namespace tollgate::api {
namespace {

void take_last(std::optional<std::uint64_t>& so_far, const std::optional<std::uint64_t>& next) noexcept {
    if (next) so_far = next;
}

// Walks JSON by its strings. What is between them only tells keys from values and how deep they are.
class Walk {
  public:
    explicit Walk(std::string_view json) : rest_(json) {}

    void run() noexcept {
        while (!rest_.empty()) {
            const char c = rest_.front();
            if (c == '"') {
                string();
                continue;
            }
            if (c == '{' || c == '[') ++depth_;
            if (c == '}' || c == ']') --depth_;
            if (c == ',' || c == '{' || c == '}' || c == '[' || c == ']') key_ = {};
            rest_.remove_prefix(1);
        }
    }

    // Events of the responses dialect name themselves; of those only deltas bring something new.
    [[nodiscard]] bool counts() const noexcept {
        return type_.find('.') == std::string_view::npos || type_.ends_with(".delta");
    }
    std::uint64_t deltas = 0;
    std::uint64_t octets = 0;

  private:
    void string() noexcept {
        rest_.remove_prefix(1);
        std::uint64_t size = 0;
        const std::string_view raw = take_string(size);
        const std::size_t next = rest_.find_first_not_of(" \t\r\n");
        if (next != std::string_view::npos && rest_[next] == ':') {
            key_ = raw;
            rest_.remove_prefix(next + 1);
            return;
        }
        if (depth_ == 1 && key_ == "type") type_ = raw;
        if (size == 0 || !is_text_member(key_)) return;
        ++deltas;
        octets += size;
    }

    // Up to the closing quote; `size` becomes its length without escapes, a \u counted as the three octets it may have.
    std::string_view take_string(std::uint64_t& size) noexcept {
        const std::string_view begin = rest_;
        std::size_t at = 0;
        std::size_t saved = 0;
        for (;;) {
            at = begin.find_first_of("\"\\", at);
            if (at == std::string_view::npos || begin[at] == '"') break;
            saved += at + 1 < begin.size() && begin[at + 1] == 'u' ? 3 : 1;
            at += 2;
            if (at >= begin.size()) break;
        }
        const std::size_t length = std::min(at, begin.size());
        rest_.remove_prefix(std::min(length + 1, begin.size()));
        size = length - std::min(saved, length);
        return begin.substr(0, length);
    }

    std::string_view rest_, key_, type_;
    int depth_ = 0;
};

std::uint64_t scaled(std::uint64_t octets, std::uint32_t per_1000) noexcept {
    const std::uint64_t bounded = std::min<std::uint64_t>(octets, UINT32_MAX);
    return (bounded * per_1000 + 999) / 1'000;
}

// Said to be nothing, though there was something.
void refuse_nothing(std::optional<std::uint64_t>& reported, std::uint64_t counted, bool& refused) noexcept {
    if (reported != 0U || counted == 0) return;
    reported.reset();
    refused = true;
}

} // namespace

bool is_text_member(std::string_view name) noexcept {
    static constexpr std::array<std::string_view, 10> kNames{
        "content",           "text",     "delta",      "refusal", "arguments", "reasoning",
        "reasoning_content", "thinking", "transcript", "input"};
    return std::ranges::find(kNames, name) != kNames.end();
}

void merge_report(Usage& so_far, const Usage& next) noexcept {
    take_last(so_far.input, next.input);
    take_last(so_far.cached, next.cached);
    take_last(so_far.cache_write, next.cache_write);
    take_last(so_far.audio_in, next.audio_in);
    take_last(so_far.image_in, next.image_in);
    take_last(so_far.output, next.output);
    take_last(so_far.reasoning, next.reasoning);
    take_last(so_far.audio_out, next.audio_out);
    take_last(so_far.audio_ms, next.audio_ms);
    take_last(so_far.tool_calls, next.tool_calls);
    if (next.tier != ServedTier::unsaid) so_far.tier = next.tier;
    if (next.images) so_far.images = std::min(so_far.images.value_or(0) + *next.images, kMostCount);
    so_far.refused |= next.refused;
    so_far.estimated |= next.estimated;
}

void DeliveredText::observe(std::string_view json) noexcept {
    Walk walk(json);
    walk.run();
    if (!walk.counts()) return;
    deltas_ += walk.deltas;
    octets_ += walk.octets;
}

std::uint64_t estimated_output(const DeliveredText& delivered, std::uint32_t tokens_per_1000_octets) noexcept {
    return std::max(delivered.deltas(), scaled(delivered.octets(), tokens_per_1000_octets));
}

Usage settled_usage(const Usage& report, const DeliveredText& delivered, const Observed& observed) noexcept {
    Usage out = report;
    const std::uint64_t counted = estimated_output(delivered, observed.tokens_per_1000_octets);
    refuse_nothing(out.input, observed.input_estimate, out.refused);
    refuse_nothing(out.output, counted, out.refused);
    const bool by_length = out.audio_ms && !out.input && !out.output; // billed by the second, has no tokens
    if (by_length) out.input = out.output = 0;
    if (!out.input) {
        out.input = observed.input_estimate;
        out.estimated = true;
    }
    if (!out.output) {
        // Embeddings and their like report an input only.
        out.estimated |= counted != 0 || !report.input || out.refused;
        out.output = counted;
    } else if (!observed.complete && *out.output < counted) {
        out.output = counted;
        out.estimated = true;
    }
    return out;
}

} // namespace tollgate::api
