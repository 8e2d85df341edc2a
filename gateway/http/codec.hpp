// HTTP/1.1 heads and chunks to values and back, sans-I/O. Our gate decides; Beast's parser must agree with it on every
// head; this is the only file that knows which parser is inside (design §6).
#pragma once

#include "gateway/http/head_scanner.hpp"
#include "gateway/http/message.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate::http {

// `text`: one head, from the first octet of the start line through CRLFCRLF, as HeadScanner found it. The result's
// views point into it. `out.fields` keeps its capacity from call to call.
[[nodiscard]] std::expected<void, BadMessage> parse_request_head(std::string_view text, RequestHead& out);
// `to_head`: the request was HEAD, so the answer has no body whatever it says. 1xx answers have no body.
[[nodiscard]] std::expected<void, BadMessage> parse_response_head(std::string_view text, bool to_head,
                                                                  ResponseHead& out);

// Bounded decoder of the chunked coding (RFC 9112 §7.1): ≤ 16 size digits, ≤ 4 KiB of extensions per message, ≤ 16 KiB
// of trailers, which are checked and dropped. One per message.
class ChunkDecoder {
  public:
    struct Step {
        std::size_t consumed = 0; // octets of the input that are done with
        std::string_view data;    // body octets inside the input, possibly empty
    };
    // Call until it consumes nothing; done() tells whether the last chunk and its trailers were seen.
    [[nodiscard]] std::expected<Step, BadMessage> step(std::string_view input);
    [[nodiscard]] bool done() const noexcept { return state_ == State::done; }

  private:
    enum class State : std::uint8_t { size, extension, size_lf, data, data_cr, data_lf, trailer, done };
    [[nodiscard]] std::expected<std::size_t, BadMessage> step_size(std::string_view input);
    [[nodiscard]] std::expected<std::size_t, BadMessage> step_extension(std::string_view input);
    [[nodiscard]] std::expected<std::size_t, BadMessage> step_trailer(std::string_view input);
    [[nodiscard]] bool extension_ok() const;

    State state_ = State::size;
    std::uint64_t size_ = 0;
    unsigned digits_ = 0;
    std::size_t extension_total_ = 0;
    std::size_t trailer_total_ = 0;
    std::string line_; // the extension or trailer line being read, bounded by the totals above
};

// Appends "name: value\r\n"; appends nothing and returns false if either would break the message (RFC 9110 §5.5).
bool append_field(std::string& out, std::string_view name, std::string_view value);
void append_field(std::string& out, std::string_view name, std::uint64_t value);
// "HTTP/1.1 200 OK\r\n"
void append_status_line(std::string& out, int status);
[[nodiscard]] std::string_view reason_phrase(int status) noexcept;
// "5a\r\n" for a chunk of that size, into a small buffer; returns the part used.
[[nodiscard]] std::string_view chunk_header(std::size_t size, char (&buffer)[20]) noexcept;

} // namespace tollgate::http
