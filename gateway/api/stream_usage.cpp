#include "gateway/api/stream_usage.hpp"

#include <algorithm>
#include <charconv>

namespace tollgate::api {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

// A walk over the members of one object that is known to be valid.
class Members {
  public:
    // `at`: of the opening brace.
    Members(std::string_view text, std::size_t at) : text_(text), at_(at + 1) {}

    struct Member {
        std::string_view name; // as written, without quotes
        std::size_t begin = 0; // of its value
        std::size_t end = 0;
    };
    std::optional<Member> next() {
        skip_blank();
        if (at_ < text_.size() && text_[at_] == ',') ++at_;
        skip_blank();
        if (at_ >= text_.size() || text_[at_] != '"') return std::nullopt;
        Member member;
        const std::size_t name = at_ + 1;
        skip_string();
        member.name = text_.substr(name, at_ - name - 1);
        skip_blank();
        ++at_; // the colon
        skip_blank();
        member.begin = at_;
        skip_value();
        member.end = at_;
        return member;
    }

  private:
    void skip_blank() { at_ = std::min(text_.find_first_not_of(kBlank, at_), text_.size()); }

    void skip_string() {
        ++at_;
        while (at_ < text_.size() && text_[at_] != '"') {
            at_ += text_[at_] == '\\' ? 2 : 1;
            at_ = std::min(text_.find_first_of("\"\\", at_), text_.size());
        }
        at_ = std::min(at_ + 1, text_.size());
    }

    void skip_value() {
        std::size_t depth = 0;
        do {
            at_ = std::min(text_.find_first_of(depth == 0 ? "\"{}[], \t\r\n" : "\"{}[]", at_), text_.size());
            if (at_ == text_.size()) return;
            const char c = text_[at_];
            if (c == '"') {
                skip_string();
                continue;
            }
            if (c == '{' || c == '[')
                ++depth;
            else if (depth == 0)
                return; // behind a number or a word
            else if (c == '}' || c == ']')
                --depth;
            ++at_;
        } while (depth > 0);
    }

    std::string_view text_;
    std::size_t at_;
};

// Names may be written with escapes, which other readers take for the plain name.
bool is_named(std::string_view raw, std::string_view name) {
    while (!raw.empty() && !name.empty()) {
        char c = raw.front();
        std::size_t size = 1;
        if (c == '\\') {
            unsigned code = 0;
            size = 6;
            if (raw.size() < size || raw[1] != 'u') return false;
            std::from_chars(raw.data() + 2, raw.data() + 6, code, 16);
            if (code > 0x7F) return false;
            c = static_cast<char>(code);
        }
        if (c != name.front()) return false;
        raw.remove_prefix(size);
        name.remove_prefix(1);
    }
    return raw.empty() && name.empty();
}

std::optional<Members::Member> find(std::string_view text, std::size_t brace, std::string_view name) {
    Members members(text, brace);
    while (const auto member = members.next()) {
        if (is_named(member->name, name)) return member;
    }
    return std::nullopt;
}

bool is_empty_object(std::string_view text, std::size_t brace) {
    return !Members(text, brace).next();
}

} // namespace

std::optional<Edit> ask_for_usage(std::string_view body) {
    const std::size_t brace = body.find('{');
    if (brace == std::string_view::npos) return std::nullopt;
    const auto options = find(body, brace, "stream_options");
    if (!options) {
        return Edit{brace + 1, 0,
                    is_empty_object(body, brace) ? R"("stream_options":{"include_usage":true})"
                                                 : R"("stream_options":{"include_usage":true},)"};
    }
    const std::string_view value = body.substr(options->begin, options->end - options->begin);
    if (value == "null") return Edit{options->begin, value.size(), R"({"include_usage":true})"};
    if (!value.starts_with('{')) return std::nullopt;
    if (const auto flag = find(body, options->begin, "include_usage")) {
        if (body.substr(flag->begin, flag->end - flag->begin) == "true") return std::nullopt;
        return Edit{flag->begin, flag->end - flag->begin, "true"};
    }
    return Edit{options->begin + 1, 0,
                is_empty_object(body, options->begin) ? R"("include_usage":true)" : R"("include_usage":true,)"};
}

} // namespace tollgate::api
