#include "gateway/http/head_scanner.hpp"

#include <algorithm>

namespace tollgate::http {
namespace {

constexpr std::size_t kMaxLeadingEmptyLines = 2;

bool is_plain_octet(char c) {
    const auto u = static_cast<unsigned char>(c);
    return (u >= 0x20 && u != 0x7F) || c == '\t';
}

} // namespace

void HeadScanner::reset() noexcept {
    line_start_ = judged_ = leading_ = lines_ = 0;
}

BadMessage HeadScanner::line_too_long(std::string_view line) const noexcept {
    if (lines_ > 0) return BadMessage{431, "A header line is too long."};
    // RFC 9112 §3: a method longer than any implemented is 501, only a long target is 414 (case 139).
    const bool endless_method = line.substr(0, limits_.start_line).find(' ') == std::string_view::npos;
    return endless_method ? BadMessage{501, "This method is not implemented."}
                          : BadMessage{414, "The request line is too long."};
}

// An unfinished line is judged as far as it came, so that garbage without a line end is answered at once.
std::expected<void, BadMessage> HeadScanner::check_unfinished(std::string_view octets) {
    if (octets.size() > line_start_ && octets.back() == '\r') octets.remove_suffix(1); // may be half of a line end
    const std::string_view line = octets.substr(line_start_);
    if (line.size() > (lines_ == 0 ? limits_.start_line : limits_.line)) return std::unexpected(line_too_long(line));
    if (!std::ranges::all_of(octets.substr(std::max(line_start_, judged_)), is_plain_octet))
        return std::unexpected(BadMessage{400, "The message head holds a control character."});
    judged_ = octets.size();
    return {};
}

std::expected<std::optional<std::size_t>, BadMessage> HeadScanner::scan(std::string_view octets) {
    for (;;) {
        const std::string_view unjudged = octets.substr(std::max(line_start_, judged_));
        const std::size_t lf = unjudged.find('\n');
        if (octets.size() > limits_.total + leading_ && lf == std::string_view::npos && lines_ > 0)
            return std::unexpected(BadMessage{431, "The message head is too large."});
        if (lf == std::string_view::npos) {
            if (auto ok = check_unfinished(octets); !ok) return std::unexpected(ok.error());
            return std::optional<std::size_t>();
        }
        const std::string_view rest = octets.substr(line_start_);
        const std::size_t length = rest.size() - unjudged.size() + lf;
        if (length == 0 || rest[length - 1] != '\r')
            return std::unexpected(BadMessage{400, "A line of the message head does not end in CRLF."});
        const std::string_view line = rest.substr(0, length - 1);
        line_start_ += length + 1;
        const bool ended = line.empty() && lines_ > 0;
        if (line.empty() && !ended) {
            leading_ = line_start_;
            if (leading_ > 2 * kMaxLeadingEmptyLines)
                return std::unexpected(BadMessage{400, "Too many empty lines before the request."});
            continue;
        }
        if (line.size() > (lines_ == 0 ? limits_.start_line : limits_.line))
            return std::unexpected(line_too_long(line));
        if (!ended && ++lines_ > limits_.fields + 1) return std::unexpected(BadMessage{431, "Too many header fields."});
        if (line_start_ - leading_ > limits_.total)
            return std::unexpected(BadMessage{431, "The message head is too large."});
        if (ended) return std::optional<std::size_t>(line_start_);
    }
}

} // namespace tollgate::http
