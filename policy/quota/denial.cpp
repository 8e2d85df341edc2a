#include "policy/quota/denial.hpp"

#include "gateway/base/text.hpp"
#include "policy/headers.hpp"
#include "policy/quota/debt_bucket.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <utility>

namespace tollgate::policy::quota {
namespace {

constexpr std::uint64_t kNanoPerUsd = 1'000'000'000;

std::string decimals(std::uint64_t nano) {
    std::string digits = fmt::format("{:09}", nano % kNanoPerUsd);
    while (digits.size() > 2 && digits.back() == '0') digits.pop_back();
    return digits;
}

std::uint64_t magnitude(Nano nano) {
    return nano < 0 ? 0 - static_cast<std::uint64_t>(nano) : static_cast<std::uint64_t>(nano);
}

// 429s of pairs name both halves themselves: team:search|model:gpt-4o.
std::string whose(const CounterState& state) {
    if (state.names->kind.find('|') != std::string_view::npos) return std::string(state.names->name);
    return fmt::format("{} \"{}\"", state.names->kind, state.names->name);
}

std::string_view unit_words(Dimension dimension) {
    switch (dimension) {
    case Dimension::requests: return "requests per minute";
    case Dimension::tokens: return "tokens per minute";
    case Dimension::input_tokens: return "input tokens per minute";
    case Dimension::output_tokens: return "output tokens per minute";
    case Dimension::concurrency: return "requests at once";
    case Dimension::money: return "budget";
    }
    std::unreachable();
}

std::int64_t whole_used(const CounterState& state) {
    return static_cast<std::int64_t>((state.used + state.unit() - 1) / state.unit());
}

std::string rate_message(const Denial& denial) {
    const CounterState& state = denial.state;
    const bool never = denial.wait == Duration::max();
    std::string text = fmt::format("{} for {} ({}): limit {}", never ? "Request too large" : "Rate limit reached",
                                   whose(state), unit_words(state.dimension), state.limit);
    if (state.capacity != state.limit) text += fmt::format(" (burst {})", state.capacity);
    if (!never) text += fmt::format(", used {}", whole_used(state));
    text += fmt::format(", requested {}. ", denial.requested);
    if (never) return text + "No wait makes it fit: ask for less.";
    text += "Please try again in ";
    append_go_duration(text, denial.wait);
    return text + '.';
}

std::string period_word(std::string_view window) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kWords{{{"hour", "hourly"},
                                                                                   {"day", "daily"},
                                                                                   {"week", "weekly"},
                                                                                   {"month", "monthly"},
                                                                                   {"quarter", "quarterly"},
                                                                                   {"year", "yearly"}}};
    const auto found = std::ranges::find(kWords, window, [](const auto& entry) { return entry.first; });
    return std::string(found == kWords.end() ? window : found->second);
}

std::string rfc3339(WallTime time) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", std::chrono::ceil<std::chrono::seconds>(time));
}

std::string human_wait(WallTime::duration wait) {
    const auto minutes = std::chrono::ceil<std::chrono::minutes>(std::max(wait, WallTime::duration::zero())).count();
    if (minutes >= 48 * 60) return fmt::format("{} days", minutes / (24 * 60));
    if (minutes >= 60) return fmt::format("{} h {} min", minutes / 60, minutes % 60);
    return fmt::format("{} min", minutes);
}

bool ends(const CounterState& state) {
    return state.resets != WallTime::max();
}

Nano whole_nano(Wide nano) {
    return static_cast<Nano>(std::min<Wide>(nano, std::numeric_limits<Nano>::max()));
}

std::string budget_message(const Denial& denial, WallTime wall) {
    const CounterState& state = denial.state;
    const Nano left = whole_nano(std::max<Wide>(0, state.full() - state.used));
    std::string text = whose(state);
    text[0] = text[0] >= 'a' && text[0] <= 'z' && state.names->kind.find('|') == std::string_view::npos
                  ? static_cast<char>(text[0] - 'a' + 'A')
                  : text[0];
    if (left == 0) {
        text += fmt::format(" has used its {} budget: ", period_word(state.names->window));
        append_dollars(text, whole_nano(state.used));
        text += " of ";
    } else {
        text += " has ";
        append_dollars(text, left);
        text += fmt::format(" left of its {} budget, and this request may cost ", period_word(state.names->window));
        append_dollars(text, denial.requested);
        text += "; the budget is ";
    }
    append_dollars(text, state.limit);
    text += '.';
    if (state.held > 0) {
        text += " Requests still running hold ";
        append_dollars(text, state.held);
        text += " of it.";
    }
    if (ends(state))
        text += fmt::format(" It resets on {} (in {}).", rfc3339(state.resets), human_wait(state.resets - wall));
    return text;
}

void append_budget_details(std::string& text, const Denial& denial, WallTime wall) {
    const CounterState& state = denial.state;
    const auto usd = [&](std::string_view name, Wide nano) {
        text += fmt::format(",\"{}\":\"", name);
        append_usd(text, whole_nano(nano));
        text += '"';
    };
    text += R"(,"limit":"budget")";
    usd("limit_usd", state.limit);
    usd("spent_usd", state.used - state.held);
    usd("reserved_usd", state.held);
    usd("estimated_request_usd", denial.requested);
    text += R"(,"period":)";
    append_json_string(text, state.names->window);
    if (!ends(state)) return;
    const auto wait =
        std::chrono::ceil<std::chrono::seconds>(std::max(state.resets - wall, WallTime::duration::zero()));
    text += fmt::format(R"(,"resets_at":"{}","retry_after_s":{})", rfc3339(state.resets), wait.count());
}

ErrorType type_of(Dimension dimension) {
    if (dimension == Dimension::money) return ErrorType::policy_budget_exceeded;
    return dimension == Dimension::concurrency ? ErrorType::policy_concurrency : ErrorType::policy_rate_limited;
}

} // namespace

void append_usd(std::string& out, Nano nano) {
    const std::uint64_t value = magnitude(nano);
    out += fmt::format("{}{}.{}", nano < 0 ? "-" : "", value / kNanoPerUsd, decimals(value));
}

void append_dollars(std::string& out, Nano nano) {
    const std::uint64_t value = magnitude(nano);
    std::string whole = fmt::format("{}", value / kNanoPerUsd);
    for (std::size_t at = whole.size(); at > 3; at -= 3) whole.insert(at - 3, 1, ',');
    out += fmt::format("{}${}.{}", nano < 0 ? "-" : "", whole, decimals(value));
}

Error denial_error(const Denial& denial, std::string_view contact, WallTime wall) {
    const CounterState& state = denial.state;
    const bool money = state.dimension == Dimension::money;
    const bool never = denial.wait == Duration::max();
    if (!denial.contact.empty()) contact = denial.contact;
    Error error{.type = type_of(state.dimension), .status = 429};
    error.message = money ? budget_message(denial, wall) : rate_message(denial);
    error.details = R"("scope":)";
    append_json_string(error.details, state.names->kind);
    error.details += R"(,"scope_name":)";
    append_json_string(error.details, state.names->name);
    error.retry = money || never ? Retry::never : Retry::after;
    if (money) {
        error.openai_type = "insufficient_quota";
        error.code = "insufficient_quota";
        append_budget_details(error.details, denial, wall);
        if (!contact.empty()) error.message += fmt::format(" Ask {} for a raise.", contact);
    } else {
        const bool tokens = state.dimension != Dimension::requests && state.dimension != Dimension::concurrency;
        error.openai_type = tokens ? "tokens" : "requests";
        error.code = "rate_limit_exceeded";
        const std::int64_t left =
            static_cast<std::int64_t>(std::max<Wide>(0, state.full() - state.used) / state.unit());
        error.details += fmt::format(R"(,"limit":"{}","limit_value":{},"remaining":{},"requested":{})",
                                     to_string(state.dimension), state.limit, left, denial.requested);
        if (!never) {
            error.retry_after_ms =
                static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::milliseconds>(denial.wait).count());
            error.details += fmt::format(R"(,"retry_after_ms":{})", error.retry_after_ms);
        }
        if (!contact.empty()) error.message += fmt::format(" Contact: {}.", contact);
    }
    if (!contact.empty()) {
        error.details += R"(,"contact":)";
        append_json_string(error.details, contact);
    }
    return error;
}

} // namespace tollgate::policy::quota
