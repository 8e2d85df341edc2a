#include "policy/tokens/split.hpp"

#include "gateway/base/text.hpp"

namespace tollgate::tokens {
namespace {

constexpr Classes kNotOther = kLetter | kNumber | kSpace | kEnd;
// What may not precede the letters of a word as a part of it.
constexpr Classes kNoPrefix = kLetter | kNumber | kNewline | kEnd;

} // namespace

std::size_t Splitter::skip(std::size_t position, Classes classes) const noexcept {
    for (;;) {
        const Character c = at(position);
        if (!c.is(classes)) return position;
        position += c.octets;
    }
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d), where U+017F is an s, too: the position after it, or `position`.
std::size_t Splitter::contraction(std::size_t position) const noexcept {
    if (!holds(position, '\'')) return position;
    const std::string_view rest = text_.substr(position + 1, 2);
    if (rest.empty()) return position;
    const char first = ascii_lower(rest[0]);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return position + 2;
    if (rest.size() < 2) return position;
    const char second = ascii_lower(rest[1]);
    const bool pair = second == 'e' ? first == 'r' || first == 'v' : first == 'l' && second == 'l';
    return pair || rest == "\xc5\xbf" ? position + 3 : position;
}

// [^\r\n\p{L}\p{N}]?+\p{L}++
std::size_t Splitter::cl100k_word(std::size_t position) const noexcept {
    const Character first = at(position);
    const std::size_t letters = first.is(kNoPrefix) ? position : position + first.octets;
    const std::size_t end = skip(letters, kLetter);
    return end > letters ? end : position;
}

// U*L+ of the first rule, where many characters are both U and L. The engine takes all of U*
// and gives back until an L follows: thus if no lower case letter comes after the U*, the piece ends with the last
// character of it that may also be an L. Where there is none,
// the rule does not match, and the second one, U+L*, takes all of U+.
std::size_t Splitter::o200k_letters(std::size_t position) const noexcept {
    std::size_t end = position;
    std::size_t last_lower = position; // the end of the last one that was also an L
    for (;;) {
        const Character c = at(end);
        if (!c.is(kUpper)) break;
        end += c.octets;
        if (c.is(kLower)) last_lower = end;
    }
    if (at(end).is(kLower)) return skip(end, kLower);
    return last_lower;
}

std::size_t Splitter::o200k_word(std::size_t position) const noexcept {
    const Character first = at(position);
    const std::size_t letters = first.is(kNoPrefix) ? position : position + first.octets;
    std::size_t end = o200k_letters(letters);
    if (end > letters) return contraction(end);
    // A mark may stand before a word, but where that leaves no word it is one itself.
    end = o200k_letters(position);
    if (end > position) return contraction(end);
    end = skip(letters, kUpper);
    return end > letters ? contraction(end) : position;
}

// \p{N}{1,3}
std::size_t Splitter::number(std::size_t position) const noexcept {
    for (int digits = 0; digits < 3; ++digits) {
        const Character c = at(position);
        if (!c.is(kNumber)) break;
        position += c.octets;
    }
    return position;
}

// ` ?[^\s\p{L}\p{N}]++[\r\n]*+`; o200k takes slashes with the line ends.
std::size_t Splitter::others(std::size_t position) const noexcept {
    const std::size_t begin = holds(position, ' ') ? position + 1 : position;
    std::size_t end = begin;
    for (Character c = at(end); !c.is(kNotOther); c = at(end)) end += c.octets;
    if (end == begin) return position;
    while (holds(end, '\r') || holds(end, '\n') || (kind_ == EncodingKind::o200k_base && holds(end, '/'))) ++end;
    return end;
}

// cl100k: \s++$|\s*[\r\n]|\s+(?!\S)|\s; o200k: \s*[\r\n]+|\s+(?!\S)|\s+
std::size_t Splitter::space(std::size_t position) const noexcept {
    std::size_t end = position;
    std::size_t last = position;    // where the last character begins
    std::size_t newline = position; // the end of the last line
    for (Character c = at(end); c.is(kSpace); c = at(end)) {
        last = end;
        end += c.octets;
        if (c.is(kNewline)) newline = end;
    }
    const bool to_the_end = end == text_.size();
    if (kind_ == EncodingKind::cl100k_base && to_the_end) return end;
    if (newline > position) return newline;
    return to_the_end || last == position ? end : last;
}

std::string_view Splitter::next() noexcept {
    const std::size_t begin = position_;
    if (begin == text_.size()) return {};
    std::size_t end = begin;
    if (kind_ == EncodingKind::cl100k_base) {
        end = contraction(begin);
        if (end == begin) end = cl100k_word(begin);
    } else {
        end = o200k_word(begin);
    }
    if (end == begin) end = number(begin);
    if (end == begin) end = others(begin);
    if (end == begin) end = space(begin);
    position_ = end;
    return text_.substr(begin, end - begin);
}

} // namespace tollgate::tokens
