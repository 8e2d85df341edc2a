// What happened to one client request: filled by the pipeline while it runs, consumed exactly once at its end by the
// metrics and by the access log. Views point into memory that outlives the record() call. The words of closed sets
// (listener, method, route, operation, cache_reason, limit_scope) should be in static storage: the metrics remember
// them by address and pay a text look-up otherwise.
#pragma once

#include "gateway/base/error.hpp"
#include "gateway/base/time.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tollgate::metrics {

enum class Outcome : std::uint8_t { success, client_error, rejected, client_cancelled, upstream_error, gateway_error };
inline constexpr std::size_t kOutcomeCount = 6;
[[nodiscard]] std::string_view to_string(Outcome outcome) noexcept;

enum class CacheResult : std::uint8_t { none, hit, miss, bypass, stale, collapsed };
[[nodiscard]] std::string_view to_string(CacheResult result) noexcept;

// Parts of the two token totals, as the provider counts them: never to be added to these.
enum class TokenDetail : std::uint8_t { cache_read, cache_write, reasoning, audio_in, audio_out, image };
inline constexpr std::array<std::string_view, 6> kTokenDetails{"cache_read", "cache_write", "reasoning",
                                                               "audio_in",   "audio_out",   "image"};
// Parts of the cost, which add up to it but for rounding. `other`: images, requests, tools, and whatever was charged
// without its parts being known.
enum class CostComponent : std::uint8_t { input, output, cache_read, cache_write, other };
inline constexpr std::array<std::string_view, 5> kCostComponents{"input", "output", "cache_read", "cache_write",
                                                                 "other"};

// Indexed by an enumeration above.
template <class Enum, class T, std::size_t Count>
struct PerWord : std::array<T, Count> {
    using std::array<T, Count>::operator[];
    [[nodiscard]] constexpr T& operator[](Enum word) noexcept { return (*this)[static_cast<std::size_t>(word)]; }
    [[nodiscard]] constexpr const T& operator[](Enum word) const noexcept {
        return (*this)[static_cast<std::size_t>(word)];
    }
};
using TokenDetails = PerWord<TokenDetail, std::uint64_t, kTokenDetails.size()>;
using CostComponents = PerWord<CostComponent, std::uint64_t, kCostComponents.size()>; // nano-USD

struct AttemptRecord {
    std::string_view upstream; // provider name from the config
    TimePoint started{};
    Duration duration{};                           // zero while it runs
    int status = 0;                                // 0: no answer
    std::optional<ErrorType> error = std::nullopt; // absent: success
    bool cancelled = false;                        // the client left
    std::uint32_t upstream_index = 0;              // dense provider index of the snapshot
    // Streams: start of the attempt to the first content event read.
    std::optional<Duration> first_token = std::nullopt;
};
inline constexpr std::array<std::string_view, 6> kFinishWords{"stop",          "length",         "tool_calls",
                                                              "function_call", "content_filter", "other"};
inline constexpr std::size_t kMaxAttempts = 4;

inline constexpr std::uint32_t kOtherModel = 0; // index 0 is the label "other"

struct RequestRecord {
    WallTime started_wall{};
    Duration total{};                    // first octet in → last octet out
    std::optional<Duration> first_token; // streams: request → first content event written
    std::optional<Duration> max_gap;     // streams: longest silence between events
    Duration upstream{};                 // time spent waiting for providers
    std::optional<Duration> policy;      // of it all: deciding the limits
    std::optional<Duration> lookup;      // and asking the cache
    std::string_view listener = "api";
    std::string_view method = "other";    // closed set
    std::string_view route = "unmatched"; // pattern, never the raw path
    std::string_view operation;           // empty: not an LLM operation (no operation metrics)
    std::string_view request_id;
    std::string_view client_request_id;
    std::string_view client_address;
    std::string_view user_agent;              // raw; the writer reduces it to the closed family list and the version
    std::string_view key_id, key_alias, team; // empty before authentication
    std::uint32_t key_index = 0;              // Principal::index, valid if key_id is not empty
    std::string_view model; // public name as configured, "other" if unknown; empty if the route has none
    std::uint32_t model_index = kOtherModel;
    std::string_view upstream_model, upstream_request_id;
    std::string_view response_id, response_model; // as the provider names them
    std::uint8_t finish_reasons = 0;              // bit of each of kFinishWords
    bool stream = false;
    int status = 0; // sent to the client; 0: nothing could be sent
    Outcome outcome = Outcome::success;
    std::optional<ErrorType> error;
    std::string_view error_message;           // ≤ 512 octets reach the log
    std::string_view limit_scope, limit_name; // of a refusal by a limit
    std::optional<std::int64_t> limit_value;  // what that limit allows; budgets in nano-USD
    CacheResult cache = CacheResult::none;
    std::string_view cache_reason;                     // of a bypass or a stale answer: closed set
    std::uint64_t saved_nano = 0;                      // USD / 10^9 that a call would have cost
    std::uint64_t served_input = 0, served_output = 0; // tokens of an answer from the cache; 0: not known
    std::array<AttemptRecord, kMaxAttempts> attempts{};
    std::size_t attempt_count = 0;
    std::uint64_t bytes_in = 0, bytes_out = 0;                               // bodies
    std::optional<std::uint64_t> input_tokens, output_tokens, cached_tokens; // reported, else estimated
    std::string_view usage_source; // where the tokens come from: upstream, estimated, none; empty: nothing was used
    bool usage_refused = false;    // the provider told figures that cannot be
    TokenDetails token_details{};
    std::string_view price_version;    // of the list that the cost is from
    std::optional<std::uint64_t> cost; // nano-USD charged; absent: nothing was, or it has no price
    CostComponents cost_components{};
    bool unpriced = false; // work that a provider bills, of a model that no price list has
    std::string_view config_hash;
};

} // namespace tollgate::metrics
