#include "gateway/http/sse.hpp"

namespace tollgate::http {

std::size_t SseSplitter::scan(std::string_view octets) noexcept {
    complete_ = false;
    std::size_t i = 0;
    while (i < octets.size()) {
        const char c = octets[i];
        if (c == '\n' && after_cr_) {
            after_cr_ = false;
            ++i;
            continue;
        }
        after_cr_ = c == '\r';
        if (c != '\n' && c != '\r') {
            line_empty_ = false;
            any_line_ = true;
            const std::size_t end = octets.find_first_of("\r\n", i);
            i = end == std::string_view::npos ? octets.size() : end;
            continue;
        }
        ++i;
        const bool blank = line_empty_;
        line_empty_ = true;
        if (!blank || !any_line_) continue;
        if (after_cr_ && i < octets.size() && octets[i] == '\n') {
            ++i;
            after_cr_ = false;
        }
        any_line_ = false;
        complete_ = true;
        return i;
    }
    return i;
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
