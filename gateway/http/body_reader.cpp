#include "gateway/http/body_reader.hpp"

#include <algorithm>

namespace tollgate::http {

void BodyReader::release() {
    channel_.consume(held_);
    held_ = 0;
}

std::string_view BodyReader::next_now() {
    release();
    if (complete_ || failed_) return {};
    if (malformed_) { // found behind octets that were good and have been handed out
        failed_ = true;
        return {};
    }
    const std::string_view data = channel_.data();
    switch (framing_) {
    case Framing::none: break;
    case Framing::until_close: held_ = data.size(); return data;
    case Framing::length: {
        const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, data.size()));
        remaining_ -= n;
        complete_ = remaining_ == 0;
        held_ = n;
        return data.substr(0, n);
    }
    case Framing::chunked: return decode_chunks();
    }
    return {};
}

// One chunk in the buffer, the usual case, is handed out in place; several are joined, so that they leave in one write.
std::string_view BodyReader::decode_chunks() {
    const std::string_view data = channel_.data();
    std::string_view piece;
    bool joined = false;
    while (!decoder_.done()) {
        const auto step = decoder_.step(data.substr(held_));
        if (!step) {
            malformed_ = step.error();
            failed_ = piece.empty();
            break;
        }
        if (step->consumed == 0) break;
        held_ += step->consumed;
        if (step->data.empty()) continue;
        if (piece.empty() && !joined) {
            piece = step->data;
            continue;
        }
        if (!joined) joined_.assign(piece);
        joined = true;
        joined_ += step->data;
    }
    complete_ = decoder_.done();
    if (piece.empty())
        release(); // framing only: nobody looks at it any more, and a finished message leaves nothing behind
    return joined ? std::string_view(joined_) : piece;
}

Task<std::string_view> BodyReader::next() {
    for (;;) {
        const std::string_view piece = next_now();
        if (!piece.empty() || complete_ || failed_) co_return piece;
        release();
        if (co_await channel_.more()) continue;
        if (framing_ == Framing::until_close && channel_.gone() == net::Gone::ended)
            complete_ = true;
        else
            failed_ = true;
        co_return std::string_view();
    }
}

} // namespace tollgate::http
