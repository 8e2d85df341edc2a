// Cases 1–222 of tests/corpus/requests as far as head and chunk octets decide the outcome. What routing, authentication
// or the body's content decides is accepted here and refused when the corpus is sent to a whole gateway.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace tollgate::test {

enum class Must : std::uint8_t {
    refuse,     // with one of `statuses`, before any message counts
    accept,     // `messages` messages, the first with `body`
    incomplete, // neither accepted nor refused when the octets end
};

struct Case {
    std::string name; // "007", "178b"
    std::string octets;
    Must must = Must::incomplete;
    std::vector<int> statuses;
    std::size_t messages = 0;
    std::optional<std::string> body; // nothing: not asserted

    [[nodiscard]] int number() const;
};
void PrintTo(const Case& entry, std::ostream* out); // found by GoogleTest

[[nodiscard]] const std::vector<Case>& all_cases();
[[nodiscard]] const Case& case_named(const std::string& name);

} // namespace tollgate::test
