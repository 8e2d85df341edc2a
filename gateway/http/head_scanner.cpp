#include "gateway/http/head_scanner.hpp"

#include <algorithm>
#include <cstring>

namespace tollgate::http {
namespace {

constexpr std::size_t kMaxLeadingEmptyLines = 2;

bool is_plain_octet(char c) {
    const auto u = static_cast<unsigned char>(c);
    return (u >= 0x20 && u != 0x7F) || c == '\t';
}

} // namespace

void HeadScanner::reset() noexcept {
    line_start_ = leading_ = lines_ = 0;
}

BadMessage HeadScanner::line_too_long() const noexcept {
    return lines_ == 0 ? BadMessage{414, "The request line is too long."} : BadMessage{431, "A header line is too long."};
}

// An unfinished line is judged as far as it came, so that garbage without a line end is answered at once.
std::expected<void, BadMessage> HeadScanner::check_unfinished(std::string_view line) const {
    if (line.size() > (lines_ == 0 ? limits_.start_line : limits_.line)) return std::unexpected(line_too_long());
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (!std::ranges::all_of(line, is_plain_octet))
        return std::unexpected(BadMessage{400, "The message head holds a control character."});
    return {};
}

std::expected<std::optional<std::size_t>, BadMessage> HeadScanner::scan(std::string_view octets) {
    for (;;) {
        const std::string_view rest = octets.substr(line_start_);
        const void* const lf = std::memchr(rest.data(), '\n', rest.size());
        if (octets.size() > limits_.total + leading_ && lf == nullptr && lines_ > 0)
            return std::unexpected(BadMessage{431, "The message head is too large."});
        if (lf == nullptr) {
            if (auto ok = check_unfinished(rest); !ok) return std::unexpected(ok.error());
            return std::optional<std::size_t>();
        }
        const auto length = static_cast<std::size_t>(static_cast<const char*>(lf) - rest.data());
        if (length == 0 || rest[length - 1] != '\r')
            return std::unexpected(BadMessage{400, "A line of the message head does not end in CRLF."});
        const std::string_view line = rest.substr(0, length - 1);
        line_start_ += length + 1;
        if (line.empty() && lines_ > 0) return std::optional<std::size_t>(line_start_);
        if (line.empty()) {
            leading_ = line_start_;
            if (leading_ > 2 * kMaxLeadingEmptyLines)
                return std::unexpected(BadMessage{400, "Too many empty lines before the request."});
            continue;
        }
        if (line.size() > (lines_ == 0 ? limits_.start_line : limits_.line)) return std::unexpected(line_too_long());
        ++lines_;
        if (lines_ > limits_.fields + 1) return std::unexpected(BadMessage{431, "Too many header fields."});
        if (line_start_ - leading_ > limits_.total) return std::unexpected(BadMessage{431, "The message head is too large."});
    }
}

} // namespace tollgate::http
