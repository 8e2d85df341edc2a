#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace tollgate::mock {

/// One received request. Views point into its reader and live until `RequestReader::consume`.
struct Request {
    std::string_view head; // up to and including the blank line
    std::string_view body; // without transfer coding
    std::string_view method;
    std::string_view target;
    std::string_view path; // target without the query
    std::string_view query;
    std::string_view content_type;
    std::string_view authorization;
    bool keep_alive = true;
};

enum class ParseResult { kMore, kReady, kBad };

/// Cuts the octets of one connection into requests. Strict, so that a gateway that sends a doubtful request is seen.
class RequestReader {
  public:
    RequestReader() = default;

    /// Room for at least 4 KiB of received octets; `commit` says how many were filled.
    std::span<char> space();
    void commit(std::size_t count) { end_ += count; }

    /// kBad is final: `problem()` says why.
    ParseResult next(Request& request);

    /// Forgets the request that `next` returned.
    void consume();

    /// True once after the head of a request with `Expect: 100-continue` whose body is still missing.
    bool take_expectation();

    bool empty() const { return begin_ == end_; }
    std::size_t buffered() const { return end_ - begin_; }
    std::string_view problem() const { return problem_; }

  private:
    ParseResult bad(std::string_view problem);
    ParseResult parse_head();
    bool parse_request_line(std::string_view line);
    bool parse_field(std::string_view name, std::string_view value);
    ParseResult decode_chunks();
    void reserve(std::size_t total);

    std::unique_ptr<char[]> data_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;

    // Offsets are relative to begin_, because the buffer moves when it grows.
    std::size_t searched_ = 0;
    std::size_t head_size_ = 0; // 0: head not complete
    std::size_t body_size_ = 0;
    std::size_t wire_size_ = 0; // of the chunked body read so far
    std::string chunked_body_;
    bool chunked_ = false;
    bool chunks_done_ = false;
    bool has_length_ = false;
    bool has_host_ = false;
    bool expect_ = false;
    bool keep_alive_ = true;
    struct Range {
        std::size_t at = 0;
        std::size_t size = 0;
    };
    Range range_of(std::string_view text) const;
    std::string_view text_of(Range range) const { return {data_.get() + begin_ + range.at, range.size}; }
    Range method_;
    Range target_;
    Range content_type_;
    Range authorization_;
    std::string_view problem_;
};

} // namespace tollgate::mock
