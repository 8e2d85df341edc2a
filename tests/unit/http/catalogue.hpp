// The measured catalogue of bad inputs (reliability §2.3), as far as head and chunk octets decide the outcome. What
// routing, authentication or the body's content decides is accepted here and refused by the process-level corpus.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::test {

enum class Must : std::uint8_t {
    refuse,     // with one of `statuses`, before any message counts
    accept,     // `messages` messages, the first with `body`
    incomplete, // neither accepted nor refused when the octets end
};

struct Case {
    int number = 0;
    std::string octets;
    Must must = Must::accept;
    std::vector<int> statuses;
    std::size_t messages = 1;
    std::string body;
};
void PrintTo(const Case& entry, std::ostream* out); // found by GoogleTest

// The catalogue's notation: ¶ stands for CRLF; other octets are themselves.
[[nodiscard]] std::string x(std::string_view notation);
[[nodiscard]] std::string repeat(std::size_t times, std::string_view notation);

[[nodiscard]] Case refuse(int number, std::string octets, std::initializer_list<int> statuses = {400});
[[nodiscard]] Case accept(int number, std::string octets, std::string_view body = {}, std::size_t messages = 1);
[[nodiscard]] Case incomplete(int number, std::string octets);
// A malformed Transfer-Encoding is 400 or 501, an unknown version 400 or 505: both are refusals.
[[nodiscard]] Case refuse_coding(int number, std::string octets);

// Abbreviations of the catalogue.
inline constexpr std::string_view G = "GET /a HTTP/1.1\r\nHost: a\r\n";
inline constexpr std::string_view A = "GET /a HTTP/1.1\r\n";
inline constexpr std::string_view P = "POST /a HTTP/1.1\r\nHost: a\r\n";
inline constexpr std::string_view C = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
inline constexpr std::string_view S = "GET /smug HTTP/1.1\r\nHost: s\r\n\r\n";
[[nodiscard]] inline std::string with(std::string_view start, std::string_view notation, std::string_view tail = {}) {
    return std::string(start) + x(notation) + std::string(tail);
}

[[nodiscard]] std::vector<Case> framing_cases();
[[nodiscard]] std::vector<Case> chunk_cases();
[[nodiscard]] std::vector<Case> trailer_cases();
[[nodiscard]] std::vector<Case> start_line_cases();
[[nodiscard]] std::vector<Case> header_cases();
[[nodiscard]] std::vector<Case> connection_cases();
[[nodiscard]] std::vector<Case> all_cases();

} // namespace tollgate::test
