// Client software by a closed list: a raw User-Agent is attacker-controlled and never becomes a label or a log value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tollgate::metrics {

enum class ClientFamily : std::uint8_t {
    openai_python,
    openai_node,
    anthropic_python,
    anthropic_ts,
    claude_code,
    codex,
    langchain,
    curl,
    other,
};
inline constexpr std::size_t kClientFamilyCount = static_cast<std::size_t>(ClientFamily::other) + 1;
[[nodiscard]] std::string_view to_string(ClientFamily family) noexcept;

struct UserAgent {
    ClientFamily family = ClientFamily::other;
    std::string_view version; // [0-9A-Za-z.+_-]{1,32} inside the argument; empty if unknown or of another family
};

// Pure. Recognises the products of the list by what their User-Agent starts with, letter case ignored.
[[nodiscard]] UserAgent parse_user_agent(std::string_view raw) noexcept;

} // namespace tollgate::metrics
