// Error → the JSON body and headers that OpenAI's SDKs understand (api-surface §2.1, observability §5.1). Pure.
#pragma once

#include "gateway/base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace tollgate::api {

// {"error":{"message","type","param","code","tollgate":{"error_type","request_id",…}}}
[[nodiscard]] std::string error_body(const Error& error, std::string_view request_id);
// `data: {"error":…}\n\n` for chat and completions streams; `event: error` form for /responses.
[[nodiscard]] std::string error_event(const Error& error, std::string_view request_id, bool responses_dialect);
// Header lines "name: value\r\n" for retry-after, retry-after-ms, x-should-retry as the error asks (≤ 59 s only).
void append_retry_headers(std::string& out, const Error& error);

// What a provider's failing answer becomes. `pass_body`: the provider's own body goes out unmodified.
struct ProviderVerdict {
    int status = 502;
    bool pass_body = false;
    Error error; // used when !pass_body; always carries the ErrorType
};
// What a GET endpoint's HEAD becomes at a provider that does not know HEAD there (405).
[[nodiscard]] ProviderVerdict judge_head_refused(std::string_view provider);
// 400 404 409→400 413 422 pass; 401 402 403 → 502; 429 stays 429 (ours, with the provider's wait); 5xx → 502/503/504;
// everything else 502 (design §13). `retry_after_ms`: clamped by the caller, 0 if absent. `provider` is a config name.
[[nodiscard]] ProviderVerdict judge_provider_status(int status, std::uint64_t retry_after_ms,
                                                    std::string_view provider);

} // namespace tollgate::api
