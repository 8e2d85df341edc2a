// The texts of a request that its model will read, for a tokenizer to count (api-surface §10.4). Pure.
#pragma once

#include "gateway/api/route.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate::api {

// What of a prompt is not in its texts.
struct PromptShape {
    std::uint64_t texts = 0;        // that were told
    std::uint64_t messages = 0;     // of a conversation; a lone text counts as one there
    std::uint64_t names = 0;        // messages with a name
    std::uint64_t other_octets = 0; // of the body, of what each provider writes into the prompt in a way of its own:
                                    // tools, schemas, calls, members that nobody knows
    bool functions = false;         // tools or functions are declared

    friend bool operator==(const PromptShape&, const PromptShape&) = default;
};

// Owns a parser; one per worker. Not thread-safe.
class PromptReader {
  public:
    PromptReader();
    ~PromptReader();
    PromptReader(const PromptReader&) = delete;
    PromptReader& operator=(const PromptReader&) = delete;

    // `body` was accepted by RequestReader. Every octet of it is part of a text, counted among the others, or never
    // reaches a model (its name, temperature …). Texts are valid until on_text returns. Nothing for operations other
    // than chat, completions, responses and embeddings, and for a body that cannot be read.
    [[nodiscard]] std::optional<PromptShape> read(const std::string& body, Operation operation,
                                                  const std::function<void(std::string_view)>& on_text);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace tollgate::api
