#include "gateway/base/text.hpp"
#include "gateway/http/codec.hpp"
#include "gateway/http/grammar.hpp"

#include <algorithm>

namespace tollgate::http {
namespace {

constexpr unsigned kMaxSizeDigits = 16;
constexpr std::uint64_t kMaxChunk = 1ULL << 40; // above every body cap: refused when announced, not when it arrived
constexpr std::size_t kMaxExtensions = 4 * 1024;
constexpr std::size_t kMaxTrailers = 16 * 1024;

std::unexpected<BadMessage> bad(std::string_view reason, int status = 400) {
    return std::unexpected(BadMessage{status, reason});
}

int hex(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = ascii_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

} // namespace

std::expected<ChunkDecoder::Step, BadMessage> ChunkDecoder::step(std::string_view input) {
    if (input.empty() || done()) return Step{};
    const auto expect = [&](char wanted, State next) -> std::expected<Step, BadMessage> {
        if (input.front() != wanted) return bad("A chunk does not end in CRLF.");
        state_ = next;
        return Step{1, {}};
    };
    const auto consumed = [](std::expected<std::size_t, BadMessage> n) -> std::expected<Step, BadMessage> {
        if (!n) return std::unexpected(n.error());
        return Step{*n, {}};
    };
    switch (state_) {
    case State::size: return consumed(step_size(input));
    case State::extension: return consumed(step_extension(input));
    case State::size_lf: {
        const State next = size_ == 0 ? State::trailer : State::data;
        line_.clear();
        digits_ = 0;
        return expect('\n', next);
    }
    case State::data: {
        const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(size_, input.size()));
        size_ -= n;
        if (size_ == 0) state_ = State::data_cr;
        return Step{n, input.substr(0, n)};
    }
    case State::data_cr: return expect('\r', State::data_lf);
    case State::data_lf: return expect('\n', State::size);
    case State::trailer: return consumed(step_trailer(input));
    case State::done: break;
    }
    return Step{};
}

std::expected<std::size_t, BadMessage> ChunkDecoder::step_size(std::string_view input) {
    std::size_t n = 0;
    if (digits_ == 0) size_ = 0;
    for (; n < input.size(); ++n) {
        const int value = hex(input[n]);
        if (value < 0) break;
        if (++digits_ > kMaxSizeDigits) return bad("A chunk size has too many digits.");
        size_ = size_ * 16 + static_cast<unsigned>(value);
    }
    if (n == input.size()) return n;
    if (digits_ == 0) return bad("A chunk size is not a hexadecimal number.");
    if (size_ > kMaxChunk) return bad("A chunk is larger than any body that is accepted.", 413);
    if (input[n] == '\r') {
        state_ = State::size_lf;
        return n + 1;
    }
    if (input[n] != ';' && input[n] != ' ' && input[n] != '\t') return bad("A chunk size is not a hexadecimal number.");
    state_ = State::extension;
    line_.clear();
    // In the same step: one that consumes nothing means that octets are missing.
    const auto extension = step_extension(input.substr(n));
    return extension ? std::expected<std::size_t, BadMessage>(n + *extension) : extension;
}

std::expected<std::size_t, BadMessage> ChunkDecoder::step_extension(std::string_view input) {
    const std::size_t end = input.find_first_of("\r\n");
    const auto part = input.substr(0, end);
    extension_total_ += part.size();
    if (extension_total_ > kMaxExtensions) return bad("The chunk extensions are too long.");
    line_ += part;
    if (end == std::string_view::npos) return part.size();
    if (input[end] != '\r' || !extension_ok()) return bad("A chunk extension is malformed.");
    state_ = State::size_lf;
    return part.size() + 1;
}

// *( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] ), printable ASCII only (B8).
bool ChunkDecoder::extension_ok() const {
    std::string_view rest = line_;
    if (!rest.empty() && (rest.back() == ' ' || rest.back() == '\t')) return false; // case 63
    while (!rest.empty()) {
        rest = rest.substr(std::min(rest.find_first_not_of(" \t"), rest.size()));
        if (rest.empty() || rest.front() != ';') return false;
        rest = trim(rest.substr(1));
        const std::size_t name_end = rest.find_first_of("=; \t");
        if (!is_token(rest.substr(0, name_end))) return false;
        if (name_end == std::string_view::npos) return true;
        rest = trim(rest.substr(name_end));
        if (rest.empty() || rest.front() == ';') continue;
        if (rest.front() != '=') return false;
        rest = trim(rest.substr(1));
        if (rest.empty()) return false;
        if (rest.front() != '"') {
            const std::size_t value_end = rest.find_first_of("; \t");
            if (!is_token(rest.substr(0, value_end))) return false;
            if (value_end == std::string_view::npos) return true;
            rest = rest.substr(value_end);
            continue;
        }
        std::size_t i = 1;
        for (; i < rest.size() && rest[i] != '"'; ++i) {
            if (rest[i] == '\\') ++i;
            if (i >= rest.size() || rest[i] < 0x20 || rest[i] > 0x7E) return false;
        }
        if (i >= rest.size()) return false;
        rest = rest.substr(i + 1);
    }
    return true;
}

std::expected<std::size_t, BadMessage> ChunkDecoder::step_trailer(std::string_view input) {
    const std::size_t lf = input.find('\n');
    const auto part = input.substr(0, lf == std::string_view::npos ? input.size() : lf + 1);
    trailer_total_ += part.size();
    if (trailer_total_ > kMaxTrailers) return bad("The trailer section is too large.", 431);
    line_ += part;
    if (lf == std::string_view::npos) {
        const std::size_t cr = line_.find('\r');
        if (cr != std::string::npos && cr + 1 != line_.size()) return bad("A trailer line is malformed.");
        return part.size();
    }
    if (!line_.ends_with("\r\n")) return bad("A trailer line does not end in CRLF.");
    const std::string_view line = std::string_view(line_).substr(0, line_.size() - 2);
    if (line.empty()) {
        state_ = State::done;
        return part.size();
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon)) || !is_field_value(line.substr(colon + 1)))
        return bad("A trailer line is malformed.");
    line_.clear();
    return part.size();
}

} // namespace tollgate::http
