// What holds for heads of requests and answers alike.
#pragma once

#include "gateway/http/codec.hpp"
#include "gateway/http/grammar.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <string>

namespace tollgate::fuzz {

struct FoundHead {
    bool refused = false;
    std::size_t length = 0, leading = 0; // 0: more octets are needed
};

// The scanner sees all octets so far each time, as it does on a connection.
inline FoundHead scan_head(const http::HeadLimits& limits, std::string_view octets, Cut cut) {
    http::HeadScanner scanner(limits);
    std::size_t seen = 0;
    for (const std::string_view piece : pieces(octets, cut)) {
        seen += piece.size();
        const auto found = scanner.scan(octets.substr(0, seen));
        if (!found) return {true, 0, 0};
        if (*found) return {false, **found, scanner.leading()};
    }
    return {};
}

// Where it ends may not depend on the cuts. Octets that can no longer become a head are refused sooner or later, as
// late as by the parser, so only what one way finds and the other does not is a contradiction.
inline FoundHead scan_head_in_every_way(const http::HeadLimits& limits, std::string_view octets, bool& contradiction) {
    const FoundHead whole = scan_head(limits, octets, Cut::whole);
    contradiction = false;
    for (const Cut cut : kCuts) {
        const FoundHead cut_up = scan_head(limits, octets, cut);
        if (whole.length != 0 && cut_up.length != 0)
            require(whole.length == cut_up.length && whole.leading == cut_up.leading, "the head ends elsewhere");
        else
            contradiction = contradiction || whole.length != cut_up.length;
    }
    return whole;
}

inline void check_fields(const std::vector<http::Field>& fields, std::string_view text) {
    std::string out;
    for (const http::Field& field : fields) {
        require(field.name.data() >= text.data() &&
                    field.value.data() + field.value.size() <= text.data() + text.size(),
                "a field points outside the head");
        require(http::append_field(out, field.name, field.value), "an accepted field cannot be written");
    }
    require(out.find_first_of(std::string_view("\0", 1)) == std::string::npos, "NUL in a field");
}

} // namespace tollgate::fuzz
