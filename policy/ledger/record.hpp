// The records of the usage ledger as values, and their octets. Pure functions over memory: no file, no clock.
//
// A frame, all integers little-endian, its size a multiple of eight:
//   u32 CRC-32C of everything after this field | u32 size of everything after this field
//   u8 schema version | u8 kind | fields in the order of the structs below | 0…7 zero octets
// Text is a u8 length and its octets; what is optional sits behind a bit of a u32 mask, so NULL is never 0.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace tollgate::policy::ledger {

inline constexpr std::size_t kMaxName = 255;   // octets of a name from outside; longer ones are clipped at a character
inline constexpr std::size_t kMaxWord = 63;    // octets of a word or id of ours
inline constexpr std::size_t kMaxPeriods = 8;  // budget periods an ADMIT names
inline constexpr std::size_t kMaxAttempts = 4; // attempts a SETTLE describes; further ones are only counted
inline constexpr std::size_t kFrameAlignment = 8;

using Number = std::optional<std::int64_t>; // absent: unknown, which is not 0

// Where the token counts come from.
enum class UsageSource : std::uint8_t { none, upstream, estimated };
[[nodiscard]] std::string_view to_string(UsageSource source) noexcept;

// Below, text is a name (model names, ids of others) or a word (closed vocabularies, our own ids): they differ in how
// much of it is kept. All views belong to the caller, or after decode() to the decoded octets.
struct Periods {
    std::array<std::string_view, kMaxPeriods> ids{}; // words
    std::size_t count = 0;
    [[nodiscard]] std::span<const std::string_view> view() const { return {ids.data(), count}; }
};

// Written before dispatch: this much may be spent. A second ADMIT of the same request (a top-up, a dearer fallback)
// replaces the first and repeats its instant.
struct Admit {
    std::string_view request_id; // word; 1…63 octets, never clipped
    std::uint8_t attempt = 1;
    std::int64_t at_us = 0; // wall time; its day and budget period are the operation's
    std::int64_t reserved_tokens = 0;
    std::int64_t reserved_nano = 0;                                      // USD / 10^9
    std::string_view org, team, key, provider, operation, price_version; // words
    std::string_view model;                                              // name
    Periods periods;
};

// What a running operation has used so far; the latest counts.
struct Progress {
    std::string_view request_id;
    std::int64_t at_us = 0;
    std::int64_t in_tokens = 0;
    std::int64_t out_tokens = 0;
    std::int64_t cost_nano = 0;
};

struct Tokens {
    Number in, out, cache_read, cache_write, reasoning, audio_in, audio_out, images;
};

// Components are parts of `total`; all of them USD / 10^9. Absent: not priced.
struct Cost {
    Number total, in, out, cache, other;
};

struct Attempt {
    std::string_view upstream;   // name
    std::string_view error_type; // word; empty: none
    std::int64_t start_us = 0;   // wall time
    std::int64_t duration_us = 0;
    Number ttft_us; // to the first token
    std::uint16_t status = 0;
    Number in_tokens, out_tokens, cost_nano;
};

struct Attempts {
    std::array<Attempt, kMaxAttempts> each{};
    std::size_t count = 0; // ≤ kMaxAttempts
    [[nodiscard]] std::span<const Attempt> view() const { return {each.data(), count}; }
};

// The end of an operation, written before the octets that end its answer.
struct Settle {
    std::string_view request_id;
    std::int64_t admitted_us = 0; // Admit::at_us again: finds the day even when the ADMIT is gone
    std::int64_t at_us = 0;       // wall time of the end
    std::string_view outcome, error_type, cache, client, config_hash, price_source; // words
    std::string_view provider;                                                      // word; empty: the ADMIT's
    std::uint16_t http_status = 0;
    bool stream = false;
    UsageSource usage_source = UsageSource::none;
    Tokens tokens;
    Cost cost;
    Number saved_nano, ttft_us, overhead_us, queue_us;
    std::int64_t duration_us = 0;
    std::string_view upstream_model, response_model, upstream_request_id, client_request_id; // names
    std::string_view trace_id;                                                               // word
    std::uint8_t attempt_count = 0; // all of them; at least attempts.count
    Attempts attempts;
};

// A correction by hand: history is never edited.
struct Adjust {
    std::string_view id; // word, 1…63 octets; the same id counts once
    std::int64_t at_us = 0;
    std::string_view org, team, key; // words
    std::int64_t nano = 0;           // added to what was spent; may be negative
    std::string_view reason, actor;  // names
};

// Answered with what was known already: nobody was asked and nothing spent, so there was nothing to admit.
struct Served {
    std::string_view request_id; // word; 1…63 octets
    std::int64_t started_us = 0; // wall time; its day is the operation's
    std::int64_t duration_us = 0;
    std::string_view org, team, key, operation, cache, provider, config_hash; // words
    std::string_view model, client_request_id;                                // names
    std::uint16_t http_status = 0;
    bool stream = false;
    Number saved_nano; // USD / 10^9 that asking again would have cost; absent: not priced
};

using Record = std::variant<Admit, Progress, Settle, Adjust, Served>;

inline constexpr std::size_t kFrameHead = 8;
// Bounds of the largest frames; encode() never exceeds them.
inline constexpr std::size_t kMaxSettleFrame = 3'328;
inline constexpr std::size_t kMaxFrame = kMaxSettleFrame;

using FrameBuffer = std::array<char, kMaxFrame>;

// The record's frame inside `buffer`; empty if its id is empty or longer than kMaxWord.
[[nodiscard]] std::string_view encode(const Admit& record, FrameBuffer& buffer) noexcept;
[[nodiscard]] std::string_view encode(const Progress& record, FrameBuffer& buffer) noexcept;
[[nodiscard]] std::string_view encode(const Settle& record, FrameBuffer& buffer) noexcept;
[[nodiscard]] std::string_view encode(const Adjust& record, FrameBuffer& buffer) noexcept;
[[nodiscard]] std::string_view encode(const Served& record, FrameBuffer& buffer) noexcept;

enum class FrameState : std::uint8_t {
    valid,
    absent, // eight zero octets: nothing was written here
    bad,    // truncated, altered, or never a frame
};
struct FrameView {
    FrameState state = FrameState::bad;
    std::string_view octets; // the whole frame if valid
};
// The frame at the start of `octets`, which may hold more. Any input; checks size, version, kind and CRC.
[[nodiscard]] FrameView first_frame(std::string_view octets) noexcept;

// The record of a whole frame; nothing if any field does not fit its frame. Any input. Views point into `frame`.
[[nodiscard]] std::optional<Record> decode(std::string_view frame) noexcept;

// What a valid frame is about, without reading all of it.
enum class RecordKind : std::uint8_t { admit = 1, progress = 2, settle = 3, adjust = 4, served = 5 };
struct FrameHead {
    RecordKind kind;
    std::string_view id; // of the request, or an adjustment's own; points into the frame
};
[[nodiscard]] FrameHead head_of(std::string_view valid_frame) noexcept;

// As decode() of a frame that first_frame() has checked before, into a record as it is made. False: not of this kind,
// or it makes no sense.
[[nodiscard]] bool read_checked(std::string_view valid_frame, Admit& record) noexcept;
[[nodiscard]] bool read_checked(std::string_view valid_frame, Progress& record) noexcept;
[[nodiscard]] bool read_checked(std::string_view valid_frame, Settle& record) noexcept;
[[nodiscard]] bool read_checked(std::string_view valid_frame, Adjust& record) noexcept;
[[nodiscard]] bool read_checked(std::string_view valid_frame, Served& record) noexcept;

// The id a record belongs to: the request's, or an adjustment's own.
[[nodiscard]] std::string_view id_of(const Record& record) noexcept;

// At most `limit` octets of the text, cut before a character rather than inside one.
[[nodiscard]] std::string_view clip(std::string_view text, std::size_t limit) noexcept;

} // namespace tollgate::policy::ledger
