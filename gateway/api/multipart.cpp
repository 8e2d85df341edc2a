#include "gateway/api/multipart.hpp"

#include "gateway/api/json_precheck.hpp"
#include "gateway/api/model_name.hpp"
#include "gateway/api/part_head.hpp"
#include "gateway/base/text.hpp"

#include <algorithm>
#include <utility>

namespace tollgate::api {
namespace {

constexpr std::size_t kMaxHead = std::size_t{8} * 1024;
constexpr std::size_t kMaxParts = 1000;
constexpr std::size_t kMaxValue = 256;

enum class Where : std::uint8_t { start, delimiter, head, body, epilogue };
enum class Field : std::uint8_t { other, model, stream, purpose };

std::unexpected<Error> malformed(std::string message) {
    return fail(invalid_request("invalid_multipart", std::move(message)));
}

} // namespace

// Where parsers are known to disagree (text around the parts, padding behind a delimiter, a delimiter that goes on,
// folded or repeated headers) the body is refused: what was checked is what the provider will read.
struct MultipartScanner::Impl {
    explicit Impl(std::string_view boundary) : delimiter("\r\n--" + std::string(boundary)) {}

    std::string delimiter;
    // The first delimiter needs no line break before it, so the body starts as if one had just been read.
    std::size_t matched = 2;
    Where where = Where::start;
    std::size_t position = 0; // octets taken so far
    std::size_t parts = 0;
    std::string head;
    std::string after;   // up to two octets behind a delimiter
    std::string capture; // value of the current field if it is one of ours, with the delimiter seen so far
    Field field = Field::other;
    std::size_t value_start = 0;
    bool seen[4] = {};
    bool broken = false;

    std::optional<std::string> model;
    std::size_t model_offset = 0;
    bool stream = false;

    // Returns whether the delimiter is complete. A CR can only be its first octet, so a mismatch falls back to 0 or 1.
    bool advance(char c) noexcept {
        if (c == delimiter[matched]) {
            ++matched;
        } else {
            matched = c == '\r' ? 1 : 0;
        }
        return matched == delimiter.size();
    }

    Result<void> take(char c) {
        switch (where) {
        case Where::start: return take_start(c);
        case Where::delimiter: return take_delimiter(c);
        case Where::head: return take_head(c);
        case Where::body: return take_body(c);
        case Where::epilogue:
            if (c == '\r' || c == '\n' || c == ' ' || c == '\t') return {};
            return malformed("The multipart body goes on after its closing boundary.");
        }
        return {};
    }

    Result<void> take_start(char c) {
        if (advance(c)) return end_value();
        const bool leading_break = position == 0 ? c == '\r' : position == 1 && c == '\n' && matched == 2;
        if (matched > 2 || leading_break) return {};
        return malformed("The multipart body does not start with the boundary of its content type.");
    }

    Result<void> take_delimiter(char c) {
        after += c;
        if (after.size() < 2) return {};
        if (after == "--") {
            if (parts == 0) return malformed("The multipart body has no parts.");
            where = Where::epilogue;
            return {};
        }
        if (after != "\r\n") return malformed("A boundary of the multipart body is followed by other text.");
        if (++parts > kMaxParts) return malformed("The multipart body has more than 1,000 parts.");
        where = Where::head;
        head.clear();
        return {};
    }

    Result<void> take_head(char c) {
        head += c;
        if (head.size() > kMaxHead) return malformed("A part of the multipart body has a head over 8 KiB.");
        if (!head.ends_with("\r\n\r\n")) return {};
        return begin_value();
    }

    Result<void> begin_value() {
        auto parsed = parse_part_head(std::string_view(head).substr(0, head.size() - 2));
        if (!parsed) return fail(std::move(parsed.error()));
        if (auto chosen = choose_field(*parsed); !chosen) return chosen;
        where = Where::body;
        value_start = position + 1;
        matched = 2; // "\r\n" that ends the head may not begin a delimiter: end_value() refuses that
        capture.clear();
        return {};
    }

    Result<void> choose_field(const PartHead& part) {
        field = Field::other;
        if (is_forbidden_member(part.name))
            return fail(
                invalid_request("forbidden_field", "`" + part.name + "` may not be set by a request.", part.name));
        static constexpr std::string_view kNames[] = {"", "model", "stream", "purpose"};
        for (const Field candidate : {Field::model, Field::stream, Field::purpose}) {
            const auto index = static_cast<std::size_t>(candidate);
            if (!folds_to(part.name, kNames[index])) continue;
            if (part.name != kNames[index] || part.has_filename || part.encoded)
                return fail(invalid_request("invalid_value",
                                            "`" + std::string(kNames[index]) + "` must be a plain form field.",
                                            kNames[index]));
            if (std::exchange(seen[index], true))
                return fail(invalid_request("duplicate_key", "`" + part.name + "` appears twice in the multipart body.",
                                            part.name));
            field = candidate;
        }
        return {};
    }

    Result<void> take_body(char c) {
        if (field != Field::other) {
            capture += c;
            if (capture.size() > kMaxValue + delimiter.size())
                return fail(invalid_request("invalid_value", "A form field's value is over 256 octets long."));
        }
        return advance(c) ? end_value() : Result<void>{};
    }

    Result<void> end_value() {
        const bool first = where == Where::start;
        where = Where::delimiter;
        matched = 0;
        after.clear();
        if (first) return {};
        const std::size_t end = position + 1;
        if (end < value_start + delimiter.size()) return malformed("A part of the multipart body has no value.");
        if (field == Field::other) return {};
        capture.resize(capture.size() - delimiter.size());
        if (field == Field::model) return keep_model();
        if (field == Field::stream) return keep_stream();
        return {};
    }

    Result<void> keep_model() {
        if (auto error = judge_model(capture)) return fail(std::move(*error));
        model = capture;
        model_offset = value_start;
        return {};
    }

    // Other spellings of true are read as true by some upstreams and not by others.
    Result<void> keep_stream() {
        stream = iequals(capture, "true");
        if (stream || iequals(capture, "false")) return {};
        return fail(invalid_request("invalid_type", "`stream` must be true or false.", "stream"));
    }

    // Octets that cannot matter: inside the value of a field that is not ours, up to the next CR.
    [[nodiscard]] std::size_t skippable(std::string_view bytes) const noexcept {
        if (where != Where::body || field != Field::other || matched != 0) return 0;
        return std::min(bytes.find('\r'), bytes.size());
    }
};

MultipartScanner::MultipartScanner(std::string boundary) : impl_(std::make_unique<Impl>(boundary)) {}
MultipartScanner::~MultipartScanner() = default;

Result<void> MultipartScanner::feed(std::string_view bytes) {
    if (impl_->broken) return malformed("The multipart body was refused.");
    while (!bytes.empty()) {
        if (const std::size_t skip = impl_->skippable(bytes); skip != 0) {
            impl_->position += skip;
            bytes.remove_prefix(skip);
            continue;
        }
        if (auto taken = impl_->take(bytes.front()); !taken) {
            impl_->broken = true;
            return taken;
        }
        ++impl_->position;
        bytes.remove_prefix(1);
    }
    return {};
}

Result<void> MultipartScanner::finish() {
    if (!impl_->broken && impl_->where == Where::epilogue) return {};
    return malformed("The multipart body ends before its closing boundary.");
}

const std::optional<std::string>& MultipartScanner::model() const noexcept {
    return impl_->model;
}
std::size_t MultipartScanner::model_offset() const noexcept {
    return impl_->model_offset;
}
std::size_t MultipartScanner::model_length() const noexcept {
    return impl_->model ? impl_->model->size() : 0;
}
bool MultipartScanner::stream() const noexcept {
    return impl_->stream;
}

} // namespace tollgate::api
