#include "tests/mock_provider/request.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

namespace tollgate::mock {
namespace {

constexpr std::size_t kMinSpace = 4 * 1024;
constexpr std::size_t kFirstCapacity = 8 * 1024;
constexpr std::size_t kKeptCapacity = 256 * 1024;
constexpr std::size_t kMaxHead = 64 * 1024;
constexpr std::size_t kMaxBody = std::size_t{600} * 1024 * 1024; // a little above the largest file (512 MB)

bool same(std::string_view name, std::string_view lower) {
    return name.size() == lower.size() && std::equal(name.begin(), name.end(), lower.begin(), [](char a, char b) {
               return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
           });
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

} // namespace

std::span<char> RequestReader::space() {
    if (capacity_ - end_ < kMinSpace) reserve(std::max(kFirstCapacity, (end_ - begin_) * 2 + kMinSpace));
    return {data_.get() + end_, capacity_ - end_};
}

void RequestReader::reserve(std::size_t total) {
    if (capacity_ - begin_ >= total) return;
    auto grown = std::make_unique_for_overwrite<char[]>(total);
    if (end_ != begin_) std::memcpy(grown.get(), data_.get() + begin_, end_ - begin_);
    data_ = std::move(grown);
    capacity_ = total;
    end_ -= std::exchange(begin_, 0);
}

ParseResult RequestReader::bad(std::string_view problem) {
    problem_ = problem;
    return ParseResult::kBad;
}

RequestReader::Range RequestReader::range_of(std::string_view text) const {
    return {static_cast<std::size_t>(text.data() - data_.get()) - begin_, text.size()};
}

bool RequestReader::parse_request_line(std::string_view line) {
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || first == 0 || last == first) return false;
    const auto target = line.substr(first + 1, last - first - 1);
    const auto version = line.substr(last + 1);
    if (target.empty() || target.front() != '/' || target.find(' ') != std::string_view::npos) return false;
    if (version != "HTTP/1.1" && version != "HTTP/1.0") return false;
    keep_alive_ = version == "HTTP/1.1";
    method_ = range_of(line.substr(0, first));
    target_ = range_of(target);
    return true;
}

bool RequestReader::parse_field(std::string_view name, std::string_view value) {
    if (same(name, "content-length")) {
        const auto* end = value.data() + value.size();
        const auto [stop, error] = std::from_chars(value.data(), end, body_size_);
        if (has_length_ || error != std::errc{} || stop != end || body_size_ > kMaxBody) return false;
        has_length_ = true;
    } else if (same(name, "transfer-encoding")) {
        if (chunked_ || !same(value, "chunked")) return false;
        chunked_ = true;
    } else if (same(name, "host")) {
        if (has_host_) return false;
        has_host_ = true;
    } else if (same(name, "connection")) {
        if (same(value, "close")) keep_alive_ = false;
        if (same(value, "keep-alive")) keep_alive_ = true;
    } else if (same(name, "expect")) {
        expect_ = same(value, "100-continue");
    } else if (same(name, "content-type")) {
        content_type_ = range_of(value);
    } else if (same(name, "authorization")) {
        authorization_ = range_of(value);
    }
    return true;
}

ParseResult RequestReader::parse_head() {
    const std::string_view seen{data_.get() + begin_, end_ - begin_};
    const auto blank = seen.find("\r\n\r\n", searched_);
    if (blank == std::string_view::npos) {
        if (seen.size() > kMaxHead) return bad("head too large");
        searched_ = seen.size() < 3 ? 0 : seen.size() - 3;
        return ParseResult::kMore;
    }
    auto rest = seen.substr(0, blank + 2);
    bool first = true;
    while (!rest.empty()) {
        const auto eol = rest.find("\r\n");
        const auto line = rest.substr(0, eol);
        rest.remove_prefix(eol + 2);
        if (std::exchange(first, false)) {
            if (!parse_request_line(line)) return bad("malformed request line");
            continue;
        }
        const auto colon = line.find(':');
        const bool malformed = colon == std::string_view::npos || colon == 0 || line[colon - 1] == ' ' ||
                               line.find_first_of(std::string_view{"\0\r\n", 3}) != std::string_view::npos;
        if (malformed) return bad("malformed header line");
        if (!parse_field(line.substr(0, colon), trim(line.substr(colon + 1)))) return bad("unacceptable header value");
    }
    if (chunked_ && has_length_) return bad("content-length together with transfer-encoding");
    if (!has_host_ && keep_alive_) return bad("no host header");
    head_size_ = blank + 4;
    if (!chunked_) reserve(head_size_ + body_size_);
    return ParseResult::kReady;
}

ParseResult RequestReader::decode_chunks() {
    while (!chunks_done_) {
        const std::string_view rest{data_.get() + begin_ + head_size_ + wire_size_,
                                    end_ - begin_ - head_size_ - wire_size_};
        const auto eol = rest.find("\r\n");
        if (eol == std::string_view::npos)
            return rest.size() > 64 ? bad("chunk size line too long") : ParseResult::kMore;
        std::size_t size = 0;
        const auto [stop, error] = std::from_chars(rest.data(), rest.data() + eol, size, 16);
        if (error != std::errc{} || stop != rest.data() + eol) return bad("malformed chunk size");
        if (size > kMaxBody - chunked_body_.size()) return bad("body too large");
        if (rest.size() < eol + 2 + size + 2) return ParseResult::kMore;
        if (rest.substr(eol + 2 + size, 2) != "\r\n") return bad("chunk without its line end, or a trailer");
        chunked_body_.append(rest.substr(eol + 2, size));
        wire_size_ += eol + 2 + size + 2;
        chunks_done_ = size == 0;
    }
    return ParseResult::kReady;
}

ParseResult RequestReader::next(Request& request) {
    if (!problem_.empty()) return ParseResult::kBad;
    if (begin_ == end_) return ParseResult::kMore;
    if (head_size_ == 0) {
        if (const auto result = parse_head(); result != ParseResult::kReady) return result;
    }
    if (chunked_) {
        if (const auto result = decode_chunks(); result != ParseResult::kReady) return result;
        request.body = chunked_body_;
    } else {
        if (end_ - begin_ < head_size_ + body_size_) return ParseResult::kMore;
        request.body = text_of({head_size_, body_size_});
    }
    expect_ = false;
    request.head = text_of({0, head_size_});
    request.method = text_of(method_);
    request.target = text_of(target_);
    const auto mark = request.target.find('?');
    request.path = request.target.substr(0, mark);
    request.query = mark == std::string_view::npos ? std::string_view{} : request.target.substr(mark + 1);
    request.content_type = text_of(content_type_);
    request.authorization = text_of(authorization_);
    request.keep_alive = keep_alive_;
    return ParseResult::kReady;
}

void RequestReader::consume() {
    begin_ += head_size_ + (chunked_ ? wire_size_ : body_size_);
    if (begin_ == end_) begin_ = end_ = 0;
    if (begin_ == end_ && capacity_ > kKeptCapacity) {
        data_.reset();
        capacity_ = 0;
    }
    if (chunked_) chunked_body_ = {};
    searched_ = head_size_ = body_size_ = wire_size_ = 0;
    chunked_ = chunks_done_ = has_length_ = has_host_ = expect_ = false;
    keep_alive_ = true;
    content_type_ = authorization_ = {};
}

bool RequestReader::take_expectation() {
    return head_size_ != 0 && std::exchange(expect_, false);
}

} // namespace tollgate::mock
