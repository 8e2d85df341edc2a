// `via: chat`: legacy completions served by a chat model, JSON and SSE (design §11). Pure; Boost.JSON inside.
#pragma once

#include "gateway/base/error.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace tollgate::api {

// /completions request → /chat/completions request for `upstream_model`. Parameters without a chat equivalent
// (suffix, best_of > 1, echo: true, logprobs, several prompts, token-id prompts) are a 400 that names the parameter.
// max_tokens defaults to 16 as the legacy API does; sent as max_tokens.
[[nodiscard]] Result<std::string> completions_to_chat_request(std::string_view body, std::string_view upstream_model);

// Complete chat answer → text_completion object. `public_model` is what the client asked for.
[[nodiscard]] Result<std::string> chat_to_completions_answer(std::string_view body, std::string_view public_model);

// Chat SSE → completions SSE, event by event. Feed whole events (with their blank line); the output is ready to send.
// Role-only chunks vanish; finish_reason, usage chunks, error objects and [DONE] are kept.
class ChatStreamToCompletions {
  public:
    explicit ChatStreamToCompletions(std::string public_model);
    ~ChatStreamToCompletions();
    [[nodiscard]] Result<std::string> event(std::string_view event);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace tollgate::api
