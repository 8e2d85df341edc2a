#include "gateway/http/agreement.hpp"

#include "gateway/base/text.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include <string>

namespace tollgate::http {
namespace {

namespace beast = boost::beast;
using ErrorCode = boost::system::error_code;

// Collects nothing but whether what Beast saw is what we saw.
template <bool IsRequest>
class Witness final : public beast::http::basic_parser<IsRequest> {
  public:
    explicit Witness(const std::vector<Field>& fields) : fields_(fields) {
        this->header_limit(64 * 1024);
        this->body_limit(boost::none);
    }

    std::string_view expected_method, expected_target;
    int expected_status = 0;
    int expected_version = 0;
    [[nodiscard]] bool agrees() const noexcept { return agrees_ && next_ == fields_.size(); }

  private:
    void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target, int version,
                         ErrorCode&) override {
        agrees_ = agrees_ && method == expected_method && target == expected_target && version == expected_version;
    }
    void on_response_impl(int status, beast::string_view, int version, ErrorCode&) override {
        agrees_ = agrees_ && status == expected_status && version == expected_version;
    }
    void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value, ErrorCode&) override {
        while (next_ < fields_.size() && is_left_out(fields_[next_])) ++next_;
        agrees_ = agrees_ && next_ < fields_.size() && name == fields_[next_].name && value == fields_[next_].value;
        if (next_ < fields_.size()) ++next_;
    }
    void on_header_impl(ErrorCode&) override {
        while (next_ < fields_.size() && is_left_out(fields_[next_])) ++next_;
    }
    void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
    std::size_t on_body_impl(beast::string_view, ErrorCode&) override { return 0; }
    void on_chunk_header_impl(std::uint64_t, beast::string_view, ErrorCode&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view, ErrorCode&) override { return 0; }
    void on_finish_impl(ErrorCode&) override {}

  public:
    // Beast rejects harmless variants of Connection (case 296); our own reading of it has been checked already. It
    // reads Proxy-Connection the same way, which means nothing to us.
    static bool is_left_out(const Field& field) {
        return iequals(field.name, "connection") || iequals(field.name, "proxy-connection");
    }

  private:
    const std::vector<Field>& fields_;
    std::size_t next_ = 0;
    bool agrees_ = true;
};

template <bool IsRequest>
void append_fields(std::string& out, const std::vector<Field>& fields) {
    for (const Field& field : fields) {
        if (Witness<IsRequest>::is_left_out(field)) continue;
        out += field.name;
        out += ": ";
        out += field.value;
        out += "\r\n";
    }
    out += "\r\n";
}

template <bool IsRequest>
bool witness_accepts(Witness<IsRequest>& witness, const std::string& text, Framing framing, std::uint64_t length) {
    ErrorCode error;
    witness.eager(false);
    const std::size_t used = witness.put(boost::asio::buffer(text), error);
    if ((error && error != beast::http::error::need_more) || used != text.size() || !witness.is_header_done())
        return false;
    if (witness.chunked() != (framing == Framing::chunked)) return false;
    if (framing == Framing::length && length > 0) {
        const auto theirs = witness.content_length();
        if (!theirs || *theirs != length) return false;
    }
    return witness.agrees();
}

// Scratch per thread: the canonical text is at most as long as the head it came from.
std::string& scratch() {
    static thread_local std::string text;
    text.clear();
    return text;
}

} // namespace

std::expected<void, BadMessage> agree_on_request(const RequestHead& head) {
    std::string& text = scratch();
    text += head.method;
    text += ' ';
    text += head.target;
    text += head.minor == 1 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n";
    append_fields<true>(text, head.fields);
    Witness<true> witness(head.fields);
    witness.expected_method = head.method;
    witness.expected_target = head.target;
    witness.expected_version = 10 + head.minor;
    if (!witness_accepts(witness, text, head.framing, head.content_length))
        return std::unexpected(BadMessage{400, "The message head is ambiguous."});
    return {};
}

std::expected<void, BadMessage> agree_on_response(const ResponseHead& head) {
    std::string& text = scratch();
    text += head.minor == 1 ? "HTTP/1.1 " : "HTTP/1.0 ";
    text += std::to_string(head.status);
    text += " \r\n";
    append_fields<false>(text, head.fields);
    Witness<false> witness(head.fields);
    witness.expected_status = head.status;
    witness.expected_version = 10 + head.minor;
    const bool bodiless = head.status < 200 || head.status == 204 || head.status == 304;
    const Framing framing = bodiless && head.framing == Framing::length ? Framing::none : head.framing;
    if (!witness_accepts(witness, text, framing, head.content_length))
        return std::unexpected(BadMessage{400, "ambiguous head"});
    return {};
}

} // namespace tollgate::http
