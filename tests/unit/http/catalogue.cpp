#include "tests/unit/http/catalogue.hpp"

#include "tests/unit/http/conversation.hpp"

#include <ostream>
#include <utility>

namespace tollgate::test {

void PrintTo(const Case& entry, std::ostream* out) {
    *out << "case " << entry.number << ": " << visible(entry.octets);
}

std::string x(std::string_view notation) {
    static constexpr std::string_view kPilcrow = "\xC2\xB6";
    std::string out;
    for (std::size_t i = 0; i < notation.size(); ++i) {
        if (notation.substr(i).starts_with(kPilcrow)) {
            out += "\r\n";
            ++i;
        } else {
            out += notation[i];
        }
    }
    return out;
}

std::string repeat(std::size_t times, std::string_view notation) {
    const std::string once = x(notation);
    std::string out;
    out.reserve(once.size() * times);
    for (std::size_t i = 0; i < times; ++i) out += once;
    return out;
}

Case refuse(int number, std::string octets, std::initializer_list<int> statuses) {
    Case entry;
    entry.number = number;
    entry.octets = std::move(octets);
    entry.must = Must::refuse;
    entry.statuses = statuses;
    return entry;
}

Case refuse_coding(int number, std::string octets) {
    return refuse(number, std::move(octets), {400, 501});
}

Case accept(int number, std::string octets, std::string_view body, std::size_t messages) {
    Case entry;
    entry.number = number;
    entry.octets = std::move(octets);
    entry.body = body;
    entry.messages = messages;
    return entry;
}

Case incomplete(int number, std::string octets) {
    Case entry;
    entry.number = number;
    entry.octets = std::move(octets);
    entry.must = Must::incomplete;
    return entry;
}

std::vector<Case> all_cases() {
    std::vector<Case> all;
    for (auto section : {framing_cases, chunk_cases, trailer_cases, start_line_cases, header_cases, connection_cases})
        for (Case& entry : section()) all.push_back(std::move(entry));
    return all;
}

} // namespace tollgate::test
