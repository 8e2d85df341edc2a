// Chunks of chat and legacy completions, merged choice by choice. Private to the assembler.
#pragma once

#include "gateway/api/replay/dialect.hpp"
#include "gateway/api/replay/merge.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::api::replay {

// Texts of a message that grow by concatenation; every SDK and provider agrees on these.
inline constexpr std::array<std::string_view, 4> kMessageTexts{"content", "refusal", "reasoning_content", "reasoning"};

struct ToolCall {
    Fields fields;           // id, type, and what else was told once
    Fields function, custom; // name, and what else was told once
    Text arguments, input;   // function.arguments, custom.input
    [[nodiscard]] bool whole() const noexcept;
    void write(std::string& out) const;
};

struct Choice {
    std::array<Text, kMessageTexts.size()> texts;
    Text legacy; // `text` of a legacy completion
    Fields message, fields;
    std::vector<ToolCall> calls;
    Fields function_call;
    Text function_arguments;
    bool called = false; // function_call was told
    std::string annotations;
    bool annotated = false;
    Lists logprobs;
    std::string reason; // finish_reason as JSON; empty until told
};

class ChunkAssembler {
  public:
    ChunkAssembler(Dialect dialect, std::size_t max_octets) : dialect_(dialect), budget_(max_octets) {}

    // False: this stream cannot be kept.
    [[nodiscard]] bool feed(std::string_view data);
    [[nodiscard]] std::size_t held() const noexcept { return budget_.used(); }
    [[nodiscard]] std::optional<std::string> finish();

  private:
    [[nodiscard]] bool take_top(const Member& member);
    [[nodiscard]] bool take_choices(const Value& list);
    [[nodiscard]] bool take_choice(const Members& members);
    [[nodiscard]] bool take_delta(Choice& choice, const Value& delta, bool ended);
    [[nodiscard]] bool take_delta_member(Choice& choice, const Member& member);
    [[nodiscard]] bool take_calls(Choice& choice, const Value& list);
    [[nodiscard]] bool take_function_call(Choice& choice, const Value& call);
    void write_choice(std::string& out, std::size_t index) const;
    void write_message(std::string& out, const Choice& choice) const;

    const Dialect dialect_;
    Budget budget_;
    Fields top_;
    std::vector<Choice> choices_;
    bool done_ = false;
};

} // namespace tollgate::api::replay
