#include "tests/unit/http/catalogue.hpp"

#include "tests/support/corpus.hpp"
#include "tests/unit/http/conversation.hpp"

#include <algorithm>
#include <ostream>
#include <sstream>
#include <stdexcept>

namespace tollgate::test {
namespace {

std::vector<int> statuses_of(const std::string& word) {
    std::vector<int> statuses;
    std::istringstream stream(word);
    for (std::string status; std::getline(stream, status, '|');) statuses.push_back(std::stoi(status));
    return statuses;
}

// `codec` says it where the codec's part of the outcome differs from the whole gateway's.
Case case_of(const CorpusCase& read) {
    Case entry;
    entry.name = read.name;
    entry.octets = read.octets;
    if (const auto found = read.keys.find("body"); found != read.keys.end()) entry.body = found->second;
    const std::vector<std::string> words = words_of(read.key("codec").empty() ? read.key("must") : read.key("codec"));
    for (const std::string& word : words) {
        if (word == "close") continue;
        if (word == "ok") {
            entry.must = Must::accept;
            ++entry.messages;
        } else {
            entry.must = Must::refuse;
            entry.statuses = statuses_of(word);
        }
    }
    return entry;
}

} // namespace

int Case::number() const {
    return std::stoi(name);
}

void PrintTo(const Case& entry, std::ostream* out) {
    *out << "case " << entry.name << ": " << visible(entry.octets);
}

const std::vector<Case>& all_cases() {
    static const std::vector<Case> kCases = [] {
        std::vector<Case> cases;
        for (const std::string& name : case_names("requests")) cases.push_back(case_of(read_case("requests", name)));
        return cases;
    }();
    return kCases;
}

const Case& case_named(const std::string& name) {
    const auto found = std::ranges::find(all_cases(), name, &Case::name);
    if (found == all_cases().end()) throw std::out_of_range("no case " + name);
    return *found;
}

} // namespace tollgate::test
