// Finds the end of a head as octets arrive, under every limit, before any parser sees it (reliability §2.1, §2.2).
#pragma once

#include "gateway/http/message.hpp"

#include <cstddef>
#include <expected>
#include <optional>
#include <string_view>

namespace tollgate::http {

// Incremental and sans-I/O: call with all octets so far each time; scanning resumes where it stopped.
class HeadScanner {
  public:
    explicit HeadScanner(const HeadLimits& limits) : limits_(limits) {}

    // Length of the head through CRLFCRLF (leading empty lines included), nothing if more octets are needed.
    // Refused at once: bare LF, control octets, lines or heads over the limits, more than two empty lines before it.
    [[nodiscard]] std::expected<std::optional<std::size_t>, BadMessage> scan(std::string_view octets);
    // Octets of leading CRLFs, valid once scan() found the head.
    [[nodiscard]] std::size_t leading() const noexcept { return leading_; }
    void reset() noexcept;

  private:
    [[nodiscard]] std::expected<void, BadMessage> check_unfinished(std::string_view octets);
    [[nodiscard]] BadMessage line_too_long(std::string_view line) const noexcept;

    HeadLimits limits_;
    std::size_t line_start_ = 0;
    std::size_t judged_ = 0; // octets before it need no second look, however small the pieces are
    std::size_t leading_ = 0;
    std::size_t lines_ = 0;
};

} // namespace tollgate::http
