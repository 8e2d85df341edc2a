#include "cache/redis/scanner.hpp"

#include <algorithm>

namespace tollgate::redis {
namespace {

constexpr std::size_t kMaxNumber = 20; // "-9223372036854775808"

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

} // namespace

std::expected<void, std::string> Scanner::scan(std::string_view bytes) {
    while (!bytes.empty()) {
        std::size_t used = 1;
        if (state_ == State::bulk) {
            used = static_cast<std::size_t>(std::min<std::uint64_t>(bulk_, bytes.size()));
            bulk_ -= used;
            if (bulk_ == 0) state_ = State::bulk_cr;
        } else if (const char* const problem = step(bytes.front()); problem != nullptr) {
            return std::unexpected(std::string(problem));
        }
        // A finished reply has already reset the count, so its last octet is counted to the next one: harmless.
        reply_octets_ += used;
        if (reply_octets_ > kMaxReply) return std::unexpected(std::string("reply too long"));
        bytes.remove_prefix(used);
    }
    return {};
}

const char* Scanner::step(char c) {
    switch (state_) {
    case State::type: return begin_value(c);
    case State::line: return line_octet(c);
    case State::line_end: return c == '\n' ? end_line() : "CR without LF";
    case State::bulk_cr: state_ = State::bulk_lf; return c == '\r' ? nullptr : "bulk string longer than announced";
    case State::bulk_lf:
        if (c != '\n') return "bulk string longer than announced";
        end_value();
        return nullptr;
    case State::bulk: break; // taken in runs by scan()
    }
    return "unreachable";
}

const char* Scanner::begin_value(char type) {
    if (!std::string_view("+-:$*").contains(type)) return "not a RESP2 type";
    if (++reply_values_ > kMaxValues) return "too many values";
    type_ = type;
    state_ = State::line;
    line_ = 0;
    negative_ = false;
    number_ = 0;
    return nullptr;
}

const char* Scanner::line_octet(char c) {
    if (c == '\r') {
        state_ = State::line_end;
        return nullptr;
    }
    if (c == '\n') return "LF without CR";
    ++line_;
    if (type_ == '+' || type_ == '-') return line_ <= kMaxLine ? nullptr : "line too long";
    if (line_ > kMaxNumber) return "number too long";
    if (c == '-' && line_ == 1) {
        negative_ = true;
        return nullptr;
    }
    if (!is_digit(c)) return "not a number";
    if (type_ == ':') return nullptr; // its value is the reader's business
    number_ = number_ * 10 + static_cast<std::uint64_t>(c - '0');
    return number_ <= kMaxBulk ? nullptr : "length too large";
}

const char* Scanner::end_line() {
    if (type_ == '+' || type_ == '-') {
        end_value();
        return nullptr;
    }
    if (line_ == (negative_ ? 1U : 0U)) return "number without digits";
    if (type_ == ':') {
        end_value();
        return nullptr;
    }
    if (negative_ && (number_ != 1 || line_ != 2)) return "negative length";
    return type_ == '$' ? begin_bulk(negative_, number_) : begin_array(negative_, number_);
}

const char* Scanner::begin_bulk(bool nil, std::uint64_t length) {
    if (nil) {
        end_value();
        return nullptr;
    }
    bulk_ = length;
    state_ = length == 0 ? State::bulk_cr : State::bulk;
    return nullptr;
}

const char* Scanner::begin_array(bool nil, std::uint64_t length) {
    if (length > kMaxElements) return "array too long";
    if (nil || length == 0) {
        end_value();
        return nullptr;
    }
    if (depth_ == kMaxDepth) return "arrays too deep";
    open_[depth_++] = length;
    state_ = State::type;
    return nullptr;
}

void Scanner::end_value() {
    state_ = State::type;
    while (depth_ > 0) {
        if (--open_[depth_ - 1] > 0) return;
        --depth_; // the array itself is a finished value of the one around it
    }
    ++complete_;
    reply_octets_ = 0;
    reply_values_ = 0;
}

} // namespace tollgate::redis
