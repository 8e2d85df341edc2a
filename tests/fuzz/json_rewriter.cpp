#include "tests/fuzz/json_rewriter.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <vector>

namespace tollgate::fuzz {
namespace {

constexpr std::array<std::string_view, 4> kOrdered = {"schema", "json_schema", "parameters", "input_schema"};
constexpr std::string_view kSpace = " \t\r\n";

class Rewriter {
  public:
    explicit Rewriter(std::string_view text) : rest_(text) {}
    std::string value(bool ordered) {
        skip_space();
        if (rest_.empty()) return {};
        if (rest_.front() == '{') return object(ordered);
        if (rest_.front() == '[') return array(ordered);
        if (rest_.front() == '"') return escaped(string());
        return word();
    }

  private:
    void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(kSpace), rest_.size())); }

    bool ended(char close) {
        skip_space();
        if (rest_.starts_with(',')) rest_.remove_prefix(1);
        skip_space();
        if (!rest_.empty() && rest_.front() != close) return false;
        rest_.remove_prefix(std::min<std::size_t>(1, rest_.size()));
        return true;
    }

    // The token with its quotes.
    std::string_view string() {
        std::size_t end = 1;
        while (end < rest_.size() && rest_[end] != '"') end += rest_[end] == '\\' ? 2 : 1;
        const std::string_view token = rest_.substr(0, end + 1);
        rest_.remove_prefix(token.size());
        return token;
    }

    static std::string escaped(std::string_view token) {
        std::string out;
        for (std::size_t i = 0; i < token.size(); ++i) {
            const char c = token[i];
            if (c == '\\') {
                out += c;
                out += token[++i];
                for (int digit = 0; token[i] == 'u' && digit < 4; ++digit)
                    out += token[i + 1 + static_cast<unsigned>(digit)];
                if (token[i] == 'u') i += 4;
            } else if ((c >= 'a' && c <= 'z') || c == ' ') {
                out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
            } else {
                out += c;
            }
        }
        return out;
    }

    std::string word() {
        const std::size_t end = std::min(rest_.find_first_of(" \t\r\n,]}"), rest_.size());
        std::string token(rest_.substr(0, end));
        rest_.remove_prefix(end);
        const bool integer = token.find_first_not_of("-0123456789") == std::string::npos;
        if (integer && token.size() <= 15) token += ".0";
        return token;
    }

    std::string array(bool ordered) {
        rest_.remove_prefix(1);
        std::string out = "[ ";
        for (bool first = true; !ended(']'); first = false) {
            if (!first) out += "\n,";
            out += value(ordered);
        }
        return out + "\t]";
    }

    std::string object(bool ordered) {
        rest_.remove_prefix(1);
        std::vector<std::string> members;
        while (!ended('}')) {
            const std::string_view key = string();
            skip_space();
            rest_.remove_prefix(1); // the colon
            // A name written with escapes is not recognised here: then only the order is kept for nothing.
            const bool keeps =
                std::ranges::find(kOrdered, key.substr(1, key.size() - 2)) != kOrdered.end() || key.contains('\\');
            members.push_back(escaped(key) + " :\r\n" + value(ordered || keeps));
        }
        if (!ordered) std::ranges::reverse(members);
        std::string out = "{ ";
        for (const std::string& member : members) {
            if (out.size() > 2) out += " , ";
            out += member;
        }
        return out + " }";
    }

    std::string_view rest_;
};

} // namespace

std::string written_differently(std::string_view text) {
    return " \n" + Rewriter(text).value(false) + "\r\n";
}

} // namespace tollgate::fuzz
