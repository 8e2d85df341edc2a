// Multipart bodies: first line the content type, the rest the body. Judged alike under any cuts; what is said to be
// the model is the value of the only part of that name, by a second, plainer reader.
#include "gateway/api/model_name.hpp"
#include "gateway/api/multipart.hpp"
#include "gateway/base/text.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>
#include <optional>

namespace tollgate::fuzz {
namespace {

struct Scanned {
    bool accepted = false;
    std::optional<std::string> model;
    std::size_t offset = 0, length = 0;
    bool stream = false;

    bool operator==(const Scanned&) const = default;
};

Scanned scan(const std::string& boundary, std::string_view body, Cut cut) {
    Scanned out;
    api::MultipartScanner scanner(boundary);
    for (const std::string_view piece : pieces(body, cut)) {
        if (scanner.feed(piece)) continue;
        require(!scanner.feed("x") && !scanner.finish(), "a refused body is accepted later");
        return out;
    }
    if (!scanner.finish()) return out;
    return {true, scanner.model(), scanner.model_offset(), scanner.model_length(), scanner.stream()};
}

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), ascii_lower);
    return text;
}

// Whether one of the lines, each with its CRLF, is a Content-Disposition with that name, quoted or not.
bool names(std::string_view lines, std::string_view name) {
    for (std::size_t end = 0; (end = lines.find("\r\n")) != lines.npos; lines.remove_prefix(end + 2)) {
        const std::string line(lines.substr(0, end + 2));
        if (!lower(line).starts_with("content-disposition:")) continue;
        for (const std::string& spelling : {"name=\"" + std::string(name) + "\"", "name=" + std::string(name)}) {
            const std::size_t at = line.find(spelling);
            if (at == std::string::npos || !std::string_view(" ;\t").contains(line[at - 1])) continue;
            if (std::string_view(";\r \t").contains(line[at + spelling.size()])) return true;
        }
    }
    return false;
}

// Offset and length of the values of all parts whose head names `name`.
std::vector<std::pair<std::size_t, std::size_t>> values_of(std::string_view body, const std::string& boundary,
                                                           std::string_view name) {
    const std::string delimiter = "\r\n--" + boundary;
    const std::string text = "\r\n" + std::string(body);
    std::vector<std::pair<std::size_t, std::size_t>> out;
    std::size_t at = text.starts_with(delimiter) ? 0 : text.find(delimiter);
    while (at != std::string::npos) {
        const std::size_t head = at + delimiter.size() + 2;
        const std::size_t value = text.find("\r\n\r\n", head - 2) + 4;
        const std::size_t end = text.find(delimiter, head);
        if (end == std::string::npos) break;
        if (names(text.substr(head, value - 2 - head), name)) out.emplace_back(value - 2, end - value);
        at = end;
    }
    return out;
}

void check_model(const std::string& boundary, std::string_view body, const Scanned& scanned) {
    require(scanned.offset + scanned.length <= body.size(), "the model lies outside the body");
    require(body.substr(scanned.offset, scanned.length) == *scanned.model, "the model is not where it is said to be");
    require(api::is_clean_model(*scanned.model), "a model name that is not clean");
    const auto values = values_of(body, boundary, "model");
    // The plain reader may miss an unusual spelling of the head, but never finds another value.
    for (const auto& [offset, length] : values)
        require(offset == scanned.offset && length == scanned.length, "another part is the model to another reader");
    std::string changed(body);
    changed.replace(scanned.offset, scanned.length, "another-model");
    const Scanned again = scan(boundary, changed, Cut::own);
    require(again.accepted && again.model == "another-model", "with another model it is refused");
    require(again.offset == scanned.offset && again.stream == scanned.stream,
            "replacing the model changes other things");
}

} // namespace

void multipart_body(std::string_view input) {
    Take take(input);
    const auto boundary = api::multipart_boundary(take.line());
    if (!boundary) return;
    require(!boundary->empty() && boundary->size() <= 70 && !boundary->ends_with(' '), "no boundary of RFC 2046");
    const std::string_view body = take.rest();
    const Scanned whole = scan(*boundary, body, Cut::whole);
    for (const Cut cut : kCuts) require(scan(*boundary, body, cut) == whole, "judged differently under other cuts");
    if (!whole.accepted) return;
    require(body.contains("--" + *boundary + "--"), "accepted without its end");
    if (whole.model)
        check_model(*boundary, body, whole);
    else
        require(values_of(body, *boundary, "model").empty(), "a model that only another reader sees");
}

} // namespace tollgate::fuzz
