// Pieces of the chat → legacy completions translation that JSON answers and stream events share. Pure.
#pragma once

#include "gateway/base/error.hpp"

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate::api {

// 502 provider_bad_response.
[[nodiscard]] Error bad_chat_answer(std::string message);

// Members around `choices`: id (cmpl-…, derived from the chat id, so the same on all chunks), object, created, model,
// and usage, service_tier, system_fingerprint as the provider sent them. Takes values out of `chat`.
[[nodiscard]] boost::json::object convert_envelope(boost::json::object& chat, std::string_view public_model);

struct LegacyChoice {
    boost::json::value value;     // {text, index, logprobs, finish_reason}
    bool tells_something = false; // has text or a finish_reason; role-only chunks have neither
};
// `part` is "message" or "delta". A refusal is text here; tool calls have no counterpart and end as "stop". Nothing
// if the choice is not an object.
[[nodiscard]] std::optional<LegacyChoice> convert_choice(boost::json::value& choice, std::string_view part);

// The next event of an SSE text (api-surface §4.1): lines end in CRLF, LF or CR, `data` lines are joined with LF.
struct SseEvent {
    std::string data;
    bool has_data = false;
    std::string comments;      // comment lines, each with LF
    std::string_view original; // all lines and the blank one
};
[[nodiscard]] SseEvent take_sse_event(std::string_view& text);

} // namespace tollgate::api
