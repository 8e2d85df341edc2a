// Reads tests/corpus: messages as they go over the wire, and what must become of them (tests/corpus/README.md).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::test {

struct CorpusCase {
    std::string name;                        // as the file: "007", "18b"
    std::map<std::string, std::string> keys; // the head; `repeat` is expanded and gone
    std::string octets;

    // Empty if the head does not have it.
    [[nodiscard]] std::string_view key(const std::string& name) const;
};

// `folder`: requests, json or responses. Throws std::runtime_error for a file that is no case.
[[nodiscard]] CorpusCase read_case(std::string_view folder, const std::string& name);

// The names of all cases in order. Throws std::runtime_error if there is none.
[[nodiscard]] std::vector<std::string> case_names(std::string_view folder);

// The words of a value, which are separated by single spaces.
[[nodiscard]] std::vector<std::string> words_of(std::string_view value);

} // namespace tollgate::test
