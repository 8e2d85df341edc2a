#include "tests/support/corpus.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace tollgate::test {
namespace {

constexpr std::string_view kEndOfHead = "\n--\n";

// Text of a `repeat:` directive with its escapes resolved; `\#` is `index`.
std::string plain(std::string_view text, std::size_t index) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            out += text[i];
            continue;
        }
        switch (text[++i]) {
        case 'r': out += '\r'; break;
        case 'n': out += '\n'; break;
        case 't': out += '\t'; break;
        case '#': out += std::to_string(index); break;
        case 'x':
            out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
            i += 2;
            break;
        default: out += text[i];
        }
    }
    return out;
}

// `directive`: MARK COUNT TEXT
std::string repeated(std::string_view octets, std::string_view directive) {
    const std::size_t first = directive.find(' ');
    const std::size_t second = directive.find(' ', first + 1);
    const auto mark = directive.substr(0, first);
    const auto count = std::stoul(std::string(directive.substr(first + 1, second - first - 1)));
    std::string filled;
    for (std::size_t i = 0; i < count; ++i) filled += plain(directive.substr(second + 1), i);
    std::string out;
    for (std::size_t at = octets.find(mark); at != std::string_view::npos; at = octets.find(mark)) {
        out += octets.substr(0, at);
        out += filled;
        octets.remove_prefix(at + mark.size());
    }
    out += octets;
    return out;
}

} // namespace

std::string_view CorpusCase::key(const std::string& wanted) const {
    const auto found = keys.find(wanted);
    return found == keys.end() ? std::string_view() : std::string_view(found->second);
}

CorpusCase read_case(std::string_view folder, const std::string& name) {
    const auto path = std::filesystem::path(TOLLGATE_CORPUS_DIR) / folder / (name + ".case");
    std::ifstream file(path, std::ios::binary);
    const std::string all{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    const std::size_t end = all.find(kEndOfHead);
    if (end == std::string::npos) throw std::runtime_error(path.string() + " has no line of two dashes");
    CorpusCase entry;
    entry.name = name;
    entry.octets = all.substr(end + kEndOfHead.size());
    std::istringstream head(all.substr(0, end));
    for (std::string line; std::getline(head, line);) {
        const std::size_t colon = line.find(": ");
        if (colon == std::string::npos) throw std::runtime_error(path.string() + ": no `key: value`: " + line);
        const std::string value = line.substr(colon + 2);
        if (line.starts_with("repeat: "))
            entry.octets = repeated(entry.octets, value);
        else if (!entry.keys.emplace(line.substr(0, colon), value).second)
            throw std::runtime_error(path.string() + ": twice: " + line);
    }
    return entry;
}

std::vector<std::string> case_names(std::string_view folder) {
    const auto path = std::filesystem::path(TOLLGATE_CORPUS_DIR) / folder;
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path))
        if (entry.path().extension() == ".case") names.push_back(entry.path().stem().string());
    if (names.empty()) throw std::runtime_error("no cases in " + path.string());
    std::ranges::sort(names);
    return names;
}

std::vector<std::string> words_of(std::string_view value) {
    std::istringstream stream{std::string(value)};
    return {std::istream_iterator<std::string>(stream), std::istream_iterator<std::string>()};
}

} // namespace tollgate::test
