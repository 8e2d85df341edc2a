// Refuses RESP2 that hiredis' reader would believe: it allocates what a length announces before the octets are there,
// takes lines without end and does not look at the CRLF after a bulk string (design §14, cpp-style §3.9).
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace tollgate::redis {

// Sees every octet before the reader does, in any segmentation. Strict: what passes is RESP2 within the limits.
class Scanner {
  public:
    static constexpr std::uint64_t kMaxElements = 1024;      // of one array
    static constexpr std::uint64_t kMaxBulk = 16ULL << 20;   // octets of one bulk string
    static constexpr std::size_t kMaxDepth = 7;              // arrays inside arrays
    static constexpr std::size_t kMaxLine = 16 << 10;        // octets of a status or error
    static constexpr std::uint64_t kMaxReply = 64ULL << 20;  // octets of one reply, headers included
    static constexpr std::uint64_t kMaxValues = 64ULL << 10; // values of one reply, arrays included

    // Error: what is wrong. Nothing may be scanned afterwards.
    [[nodiscard]] std::expected<void, std::string> scan(std::string_view bytes);
    // Complete replies seen so far and not yet taken.
    [[nodiscard]] std::uint64_t complete() const noexcept { return complete_; }
    void take_one() noexcept { --complete_; }

  private:
    enum class State : std::uint8_t { type, line, line_end, bulk, bulk_cr, bulk_lf };

    // Null if the octet is fine.
    const char* step(char c);
    const char* begin_value(char type);
    const char* line_octet(char c);
    const char* end_line();
    const char* begin_bulk(bool nil, std::uint64_t length);
    const char* begin_array(bool nil, std::uint64_t length);
    void end_value();

    State state_ = State::type;
    char type_ = 0;
    std::size_t line_ = 0; // octets of the line after the type
    bool negative_ = false;
    std::uint64_t number_ = 0;                    // of `$`, `*`
    std::uint64_t bulk_ = 0;                      // octets still to come
    std::array<std::uint64_t, kMaxDepth> open_{}; // elements still to come of each open array
    std::size_t depth_ = 0;
    std::uint64_t reply_octets_ = 0;
    std::uint64_t reply_values_ = 0;
    std::uint64_t complete_ = 0;
};

} // namespace tollgate::redis
