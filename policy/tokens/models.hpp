// Which model counts by which encoding, and what a chat adds to its texts (api-surface §10.2, §10.4). Pure.
#pragma once

#include "policy/tokens/encoding_kind.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace tollgate::tokens {

// By the name that the provider knows the model by; fine-tuned ones ("ft:…") count as their base. Nothing for models
// of other makers, for those whose encoding is not published, and for r50k and p50k, which no model in service uses.
[[nodiscard]] std::optional<EncodingKind> encoding_for_model(std::string_view model) noexcept;

// The shape of a chat, without its texts.
struct ChatShape {
    std::uint64_t messages = 0;
    std::uint64_t names = 0;             // messages with a name
    std::uint64_t function_calls = 0;    // messages with function_call
    std::uint64_t function_messages = 0; // of the role function
    bool system = false;                 // a system message is among them
    bool functions = false;              // functions or tools are declared
    bool function_forced = false;        // one of them by its name
    bool functions_forbidden = false;    // tool_choice: none
};

// The tokens of a prompt beyond those of its texts: each message's role, content and name, the declarations of the
// functions and the name of the one that is forced, which the caller counts. Exact for text with the models up to
// gpt-4o, within a few tokens for later ones and with functions.
[[nodiscard]] std::uint64_t chat_overhead(std::string_view model, const ChatShape& chat) noexcept;

// Tokens of the instructions that a model's chat template writes before the client's own: gpt-oss introduces itself.
[[nodiscard]] std::uint64_t hidden_prompt(std::string_view model) noexcept;

} // namespace tollgate::tokens
