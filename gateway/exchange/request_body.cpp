#include "gateway/exchange/request_body.hpp"

#include "gateway/api/multipart.hpp"
#include "gateway/base/text.hpp"
#include "gateway/exchange/passed_on.hpp"
#include "gateway/http/grammar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace tollgate::exchange {
namespace {

constexpr std::size_t kMultipartInMemory = 1 << 20;
// What is only announced takes no memory beyond this: many clients that announce much and send nothing stay cheap.
constexpr std::size_t kUpFront = 64 << 10;
constexpr std::uint64_t kUntypedBody = 1 << 20; // bodies of routes that need none

Error bad_request(int status, std::string message, std::string_view code = {}) {
    return Error{.type = status == 413 ? ErrorType::caller_too_large : ErrorType::caller_invalid_request,
                 .status = status,
                 .message = std::move(message),
                 .openai_type = "invalid_request_error",
                 .code = code,
                 .close = true};
}

bool is_multipart(const Exchange& ex) {
    return ex.content_type.starts_with("multipart/");
}

std::uint64_t cap_of(const Exchange& ex) {
    if (is_multipart(ex)) return ex.snapshot->config.body.multipart;
    return ex.route->body == api::BodyKind::none ? kUntypedBody : ex.snapshot->config.body.json;
}

// Octets that the body needs if it is what its length says; no bound if it says none.
std::size_t announced(const Exchange& ex) {
    if (ex.head.framing != http::Framing::length) return SIZE_MAX;
    return static_cast<std::size_t>(ex.head.content_length) + api::RequestReader::padding();
}

Error too_large(const Exchange& ex) {
    return bad_request(
        413, fmt::format("The request body is larger than the {} octets this gateway accepts here.", cap_of(ex)),
        "request_too_large");
}

bool is_media_type(std::string_view value, std::string_view wanted) {
    const auto type = trim(value.substr(0, value.find(';')));
    return iequals(type, wanted);
}

Result<void> check_type(Exchange& ex) {
    const std::string_view type = ex.head.find("content-type").value_or("");
    if (ex.route->body == api::BodyKind::multipart && !is_media_type(type, "application/json")) {
        const auto boundary = api::multipart_boundary(type);
        if (!boundary) return fail(bad_request(415, "This endpoint takes multipart/form-data with a boundary."));
        ex.content_type = fmt::format("multipart/form-data; boundary=\"{}\"", *boundary);
        return {};
    }
    if (!is_media_type(type, "application/json") || has_foreign_charset(type))
        return fail(bad_request(415, "This endpoint takes a body of type application/json in UTF-8."));
    ex.content_type = "application/json";
    return {};
}

// Silence ends a body, and so does a trickle: case 232.
TimePoint next_deadline(const config::ClientLimits& limits, TimePoint begun, std::uint64_t received) {
    const TimePoint by_silence = Clock::now() + limits.body_idle;
    if (limits.body_rate == 0) return by_silence;
    constexpr std::uint64_t kLongest = 30ULL * 24 * 3'600; // seconds; more would not fit into a TimePoint
    const std::chrono::seconds by_rate(std::min(received / limits.body_rate, kLongest));
    return std::min(by_silence, begun + limits.body_idle + by_rate);
}

Error broken(Exchange& ex) {
    if (const auto& malformed = ex.body_reader.malformed())
        return bad_request(malformed->status, std::string(malformed->reason));
    if (ex.worker.terminating) return shutdown_error();
    if (ex.client.expired()) return bad_request(408, "The request body did not arrive in time.");
    ex.client_gone = true;
    return Error{.type = ErrorType::caller_cancelled,
                 .status = 499,
                 .message = "The client closed the connection while sending.",
                 .close = true};
}

// An unlinked file in the system's temporary folder: gone with the descriptor, whatever happens to the process.
int open_unlinked() {
    const char* const folder = std::getenv("TMPDIR");
    return ::open(folder != nullptr ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

bool write_all(int file, std::string_view octets) {
    while (!octets.empty()) {
        const ssize_t n = ::write(file, octets.data(), octets.size());
        if (n <= 0) return false;
        octets.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

Result<void> keep(Exchange& ex, std::string_view piece) {
    HeldBody& body = ex.body;
    const auto& caps = ex.snapshot->config.body;
    if (body.size() + piece.size() > cap_of(ex)) return fail(too_large(ex));
    if (body.file < 0 && is_multipart(ex) && body.memory.size() + piece.size() > kMultipartInMemory) {
        body.file = open_unlinked();
        if (body.file < 0 || !write_all(body.file, body.memory)) return fail(holds_too_much());
        body.file_size = body.memory.size();
        body.memory = std::string();
    }
    if (body.file >= 0) {
        if (!write_all(body.file, piece)) return fail(holds_too_much());
        body.file_size += piece.size();
        return {};
    }
    if (!ex.held.grow_to(body.memory.size() + piece.size(), caps.held)) return fail(holds_too_much());
    if (const std::size_t size = body.memory.size() + piece.size(); size > body.memory.capacity())
        body.memory.reserve(std::max(size, std::min(2 * body.memory.capacity(), announced(ex))));
    body.memory += piece;
    return {};
}

Result<void> take_multipart_findings(Exchange& ex, api::MultipartScanner& scanner) {
    if (auto ok = scanner.finish(); !ok) return ok;
    if (scanner.model()) {
        ex.view.model = *scanner.model();
        ex.multipart_model_offset = scanner.model_offset();
        ex.multipart_model_length = scanner.model_length();
    }
    ex.view.stream = scanner.stream();
    return {};
}

} // namespace

Result<void> admit_body(Exchange& ex) {
    const http::Framing framing = ex.head.framing;
    const bool empty =
        framing == http::Framing::none || (framing == http::Framing::length && ex.head.content_length == 0);
    if (ex.head.find("content-encoding")) {
        const auto coding = *ex.head.find("content-encoding");
        if (!iequals(coding, "identity")) return fail(bad_request(415, "Encoded request bodies are not accepted."));
    }
    const bool takes_body =
        ex.method == api::Method::post || ex.method == api::Method::put || ex.method == api::Method::patch;
    if (!takes_body) {
        if (!empty) return fail(bad_request(400, "This method does not take a body."));
        return {};
    }
    if (framing == http::Framing::none && ex.route->body != api::BodyKind::none)
        return fail(bad_request(411, "This endpoint needs a body with Content-Length or chunked coding."));
    if (empty && ex.route->body == api::BodyKind::none) return {};
    if (auto ok = check_type(ex); !ok) return ok;
    if (framing != http::Framing::length) return {};
    if (ex.head.content_length > cap_of(ex)) return fail(too_large(ex));
    return {};
}

Task<Result<void>> read_body(Exchange& ex) {
    if (ex.body_reader.complete()) co_return Result<void>();
    if (ex.head.expect_continue) {
        net::Gather interim;
        interim.add("HTTP/1.1 100 Continue\r\n\r\n");
        ex.client.expire_hard_at(Clock::now() + ex.client.write_stall(), "100 Continue");
        if (!co_await ex.client.write(interim)) co_return fail(broken(ex));
    }
    if (ex.head.framing == http::Framing::length && !is_multipart(ex))
        ex.body.memory.reserve(std::min(kUpFront, announced(ex)));
    std::optional<api::MultipartScanner> scanner;
    if (is_multipart(ex)) scanner.emplace(*api::multipart_boundary(*ex.head.find("content-type")));
    const TimePoint begun = Clock::now();
    while (!ex.body_reader.complete()) {
        ex.client.expire_softly_at(next_deadline(ex.snapshot->config.listen.limits, begun, ex.body.size()),
                                   kRequestBody);
        const std::string_view piece = co_await ex.body_reader.next();
        if (ex.body_reader.failed()) co_return fail(broken(ex));
        if (auto ok = keep(ex, piece); !ok) co_return ok;
        if (scanner) {
            if (auto ok = scanner->feed(piece); !ok) co_return ok;
        }
    }
    ex.client.expire_never();
    (void)ex.body_reader.next_now(); // gives the last piece back to the channel
    ex.record.bytes_in = ex.body.size();
    if (scanner) co_return take_multipart_findings(ex, *scanner);
    ex.body.memory.reserve(ex.body.memory.size() + api::RequestReader::padding());
    co_return Result<void>();
}

} // namespace tollgate::exchange
