#include "gateway/http/sse.hpp"

#include <algorithm>

namespace tollgate::http {

std::size_t SseSplitter::scan(std::string_view octets) noexcept {
    complete_ = false;
    const auto complete = [this](std::size_t n) {
        in_event_ = after_cr_ = crlf_ = closing_ = false;
        complete_ = true;
        return n;
    };
    for (std::size_t i = 0; i < octets.size();) {
        const char c = octets[i];
        if (closing_) return complete(c == '\n' ? i + 1 : i);
        if (c == '\n' && after_cr_) {
            after_cr_ = false;
            crlf_ = true;
            ++i;
            continue;
        }
        after_cr_ = c == '\r';
        if (c != '\n' && c != '\r') {
            line_empty_ = false;
            in_event_ = true;
            i = std::min(octets.find_first_of("\r\n", i), octets.size());
            continue;
        }
        ++i;
        if (!line_empty_) {
            line_empty_ = true;
            crlf_ = false;
            continue;
        }
        // Decided by the octets alone, never by how they were cut: any segmentation gives the same events.
        if (c == '\n' || !crlf_) return complete(i);
        closing_ = true;
    }
    return octets.size();
}

std::string_view SseSplitter::without_mark(std::string_view event) noexcept {
    if (first_ && event.starts_with("\xEF\xBB\xBF")) {
        event.remove_prefix(3);
        event.remove_prefix(std::min(event.find_first_not_of("\r\n"), event.size())); // it stood on a line of its own
    }
    first_ = false;
    return event;
}

std::string_view sse_data(std::string_view event, std::string& scratch) {
    std::string_view first;
    bool found = false;
    bool joined = false;
    while (!event.empty()) {
        const std::size_t end = event.find_first_of("\r\n");
        auto line = event.substr(0, end);
        event.remove_prefix(end == std::string_view::npos ? event.size() : end + 1);
        if (!line.starts_with("data")) continue;
        line.remove_prefix(4);
        if (!line.empty() && line.front() != ':') continue;
        if (!line.empty()) line.remove_prefix(1);
        if (!line.empty() && line.front() == ' ') line.remove_prefix(1);
        if (!found) {
            first = line;
            found = true;
            continue;
        }
        if (!joined) scratch.assign(first);
        joined = true;
        scratch += '\n';
        scratch += line;
    }
    return joined ? std::string_view(scratch) : first;
}

} // namespace tollgate::http
