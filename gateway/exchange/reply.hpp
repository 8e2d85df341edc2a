// Answers to the client: the head every answer shares, complete bodies, and errors in the client's dialect.
#pragma once

#include "gateway/base/error.hpp"
#include "gateway/exchange/exchange.hpp"

#include <string>
#include <string_view>

namespace tollgate::exchange {

enum class BodyForm : std::uint8_t { none, length, chunked, until_close };

// Status line and all fields that do not depend on the body; `extra` is complete header lines. Ends with the blank
// line.
[[nodiscard]] std::string make_head(Exchange& ex, int status, std::string_view content_type, BodyForm form,
                                    std::uint64_t length, std::string_view extra);

// One write with head and body. `extra`: complete header lines. Sets the exchange's answer state.
Task<void> send_complete(Exchange& ex, int status, std::string_view content_type, std::string_view body,
                         std::string_view extra = {});

// The error as the SDK understands it; nothing if the answer has begun or the client is gone. Records type and message.
Task<void> send_error(Exchange& ex, const Error& error);
// Fills the record's error fields and the outcome that follows from the error's owner.
void record_error(Exchange& ex, const Error& error);

// Before an answer that may precede the end of the request body: keeps the connection only if the rest of the body is
// already here and can be dropped (RFC 9112 §9.3).
void settle_request_body(Exchange& ex);

// After an answer with Connection: close: half-close, then read and drop for 2 s or up to 256 KiB, 64 MiB if a key of
// the client's is `known`, so that the client sees the answer rather than a reset (RFC 9112 §9.6).
Task<void> linger(net::Channel& client, bool known);

} // namespace tollgate::exchange
