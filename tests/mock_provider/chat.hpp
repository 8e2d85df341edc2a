#pragma once

#include "tests/mock_provider/chat_request.hpp"

#include <cstdint>
#include <string_view>

namespace tollgate::mock {

/// `created` of everything: answers are the same at every run.
inline constexpr std::int64_t kCreated = 1'700'000'000;

enum class ChatKind { kChat, kLegacy };

/// `id` as the answer shows it. JSON, or SSE if the request asked for it.
Reply chat_reply(const Generation& generation, const Behaviour& behaviour, ChatKind kind, std::string_view id);

} // namespace tollgate::mock
