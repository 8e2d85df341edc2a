#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tollgate::mock {

/// What happens once `Behaviour::after_n` stream events (or body octets, without a stream) have been sent.
enum class After { kNone, kClose, kHang, kBadChunk, kError };

/// How the answer to one request behaves, read from the model name (`mock-slow-200+tokens-5`).
struct Behaviour {
    bool plain = true; // no word of the model name asked for anything
    std::int64_t slow_ms = 0;
    std::int64_t pace_ms = 0;
    std::optional<std::uint64_t> tokens;
    std::optional<std::uint64_t> size;
    std::optional<std::uint64_t> prompt; // prompt tokens to report instead of the computed ones
    std::uint64_t cached = 0;            // of the prompt tokens
    std::uint64_t reasoning = 0;         // of the completion tokens, on top of the words
    std::int64_t usage_fault = 0;        // told in place of every figure of the usage
    unsigned status = 0;
    After after = After::kNone;
    std::uint64_t after_n = 0;

    bool html = false;
    bool close = false;
    bool reset = false; // like close, with RST
    bool hang = false;
    bool nodone = false;
    bool nousage = false;
    bool nocap = false; // ignores the request's max_tokens
    bool badlength = false;
    bool te_cl = false;
    bool cont = false;
    bool many_continue = false;
    bool http10 = false;
    bool extra = false;
    bool bigheader = false;
    bool trickle = false;
    bool redirect = false;
    bool setcookie = false;
    bool keepalive_close = false;
    bool stamp = false;
    bool unique = false;        // ids and fingerprints differ between identical requests
    bool rich = false;          // reasoning, annotations and characters of several octets beside the words
    bool refuse = false;        // a refusal in place of the words
    bool cut_call = false;      // the last call's arguments end too early
    bool finish_length = false; // ends as if the token limit had been reached
    bool finish_filter = false; // ends as if the content filter had stopped it
};

/// Words are separated by '+' or ':', a leading "mock-" is skipped, unknown words mean nothing.
Behaviour parse_behaviour(std::string_view model);

} // namespace tollgate::mock
