#include "tests/mock_provider/behaviour.hpp"

#include <array>
#include <charconv>

namespace tollgate::mock {
namespace {

struct Flag {
    std::string_view word;
    bool Behaviour::* member;
};

constexpr std::array kFlags{
    Flag{"html", &Behaviour::html},
    Flag{"close", &Behaviour::close},
    Flag{"reset", &Behaviour::reset},
    Flag{"hang", &Behaviour::hang},
    Flag{"nodone", &Behaviour::nodone},
    Flag{"nousage", &Behaviour::nousage},
    Flag{"nocap", &Behaviour::nocap},
    Flag{"badlength", &Behaviour::badlength},
    Flag{"te-cl", &Behaviour::te_cl},
    Flag{"continue", &Behaviour::cont},
    Flag{"many-continue", &Behaviour::many_continue},
    Flag{"http10", &Behaviour::http10},
    Flag{"extra", &Behaviour::extra},
    Flag{"bigheader", &Behaviour::bigheader},
    Flag{"trickle", &Behaviour::trickle},
    Flag{"redirect", &Behaviour::redirect},
    Flag{"setcookie", &Behaviour::setcookie},
    Flag{"keepalive-close", &Behaviour::keepalive_close},
    Flag{"stamp", &Behaviour::stamp},
    Flag{"unique", &Behaviour::unique},
    Flag{"rich", &Behaviour::rich},
    Flag{"refuse", &Behaviour::refuse},
    Flag{"cut-call", &Behaviour::cut_call},
    Flag{"finish-length", &Behaviour::finish_length},
    Flag{"finish-filter", &Behaviour::finish_filter},
};

/// The number behind `name` in "name-123", if `word` has that form.
std::optional<std::uint64_t> number_after(std::string_view word, std::string_view name) {
    if (word.size() < name.size() + 2 || !word.starts_with(name) || word[name.size()] != '-') return std::nullopt;
    std::uint64_t value = 0;
    const char* end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data() + name.size() + 1, end, value);
    if (error != std::errc{} || stop != end || value > 1'000'000'000'000) return std::nullopt;
    return value;
}

bool apply_after(Behaviour& behaviour, std::string_view word) {
    struct Kind {
        std::string_view name;
        After after;
    };
    constexpr std::array kKinds{Kind{"close-after", After::kClose}, Kind{"hang-after", After::kHang},
                                Kind{"badchunk-after", After::kBadChunk}, Kind{"error-after", After::kError}};
    for (const auto& kind : kKinds) {
        if (const auto n = number_after(word, kind.name)) {
            behaviour.after = kind.after;
            behaviour.after_n = *n;
            return true;
        }
    }
    return false;
}

bool apply_number(Behaviour& behaviour, std::string_view word) {
    if (const auto n = number_after(word, "slow")) return behaviour.slow_ms = static_cast<std::int64_t>(*n), true;
    if (const auto n = number_after(word, "pace")) return behaviour.pace_ms = static_cast<std::int64_t>(*n), true;
    if (const auto n = number_after(word, "tokens")) return behaviour.tokens = n, true;
    if (const auto n = number_after(word, "size")) return behaviour.size = n, true;
    if (const auto n = number_after(word, "prompt")) return behaviour.prompt = n, true;
    if (const auto n = number_after(word, "cached")) return behaviour.cached = *n, true;
    if (const auto n = number_after(word, "reasoning")) return behaviour.reasoning = *n, true;
    if (const auto n = number_after(word, "status"); n && *n >= 200 && *n <= 599) {
        return behaviour.status = static_cast<unsigned>(*n), true;
    }
    return apply_after(behaviour, word);
}

bool apply(Behaviour& behaviour, std::string_view word) {
    for (const auto& flag : kFlags) {
        if (word == flag.word) return behaviour.*flag.member = true, true;
    }
    if (word == "usage-negative") return behaviour.usage_fault = -7, true;
    if (word == "usage-absurd") return behaviour.usage_fault = 1'000'000'000'000'000, true;
    return apply_number(behaviour, word);
}

} // namespace

Behaviour parse_behaviour(std::string_view model) {
    Behaviour behaviour;
    if (model.starts_with("mock-")) model.remove_prefix(5);
    while (!model.empty()) {
        const auto end = model.find_first_of("+:");
        if (apply(behaviour, model.substr(0, end))) behaviour.plain = false;
        if (end == std::string_view::npos) break;
        model.remove_prefix(end + 1);
    }
    return behaviour;
}

} // namespace tollgate::mock
